import { pino } from 'pino'
import { systemClock } from '../clock.ts'
import type { AgentConfig } from '../config.ts'
import { askOnce } from '../control/control-client.ts'
import { type AgentStatus, agentStatus } from '../control/status.ts'
import { openDevice } from '../open-device.ts'
import { checkDriver, checkWayOut } from './check-device.ts'
import { checkFolder, checkPort, checkReboots, checkRoutes } from './check-folder.ts'
import { checkHub } from './check-hub.ts'
import { type Finding, fail, ok, reasonOf, skip, warn } from './finding.ts'

/**
 * Looks at everything of one device that newcomers get wrong, and says how it is mended. A running agent is asked, and the device left to it;
 * without one the device is opened, which keeps agents away meanwhile.
 */
export async function examine(config: AgentConfig): Promise<Finding[]> {
  const folder = await checkFolder(config)
  const { findings: hub, hostIp } = await checkHub(config)
  const running = await askOnce(config.stateDir, 'GET', '/status').then(
    (answer) => agentStatus.parse(answer),
    () => null,
  )
  if (running) return [...folder, ...hub, ...ofRunning(running, hostIp)]
  if (folder[0]?.verdict === 'fail') return [...folder, ...hub, skip('device', 'not without the state folder')]
  return [...folder, ...hub, await checkPort(config), ...(await ofDevice(config, hostIp)), await checkReboots(config, systemClock)]
}

async function ofDevice(config: AgentConfig, hostIp: string | null): Promise<Finding[]> {
  try {
    const device = await openDevice(config, { clock: systemClock, random: Math.random, log: pino({ level: 'silent' }) })
    try {
      const driver = await checkDriver(device)
      return [...driver, await checkRoutes(config, device.driver.link?.name ?? null), ...(await checkWayOut(device, hostIp))]
    } finally {
      await device.close()
    }
  } catch (error) {
    return [
      fail(`driver ${config.driver}`, reasonOf(error), 'Mend --driver-options as it says; see the section of the driver in docs/agent.md.'),
    ]
  }
}

function ofRunning(status: AgentStatus, hostIp: string | null): Finding[] {
  const { heartbeat, tunnel, pid, is_leaking, last_rotation: last } = status
  const findings = [ok('agent', `it runs (process ${pid}, version ${status.version})`)]
  if (!heartbeat) findings.push(warn('heartbeat', 'none was sent yet', 'Look again in half a minute.'))
  else if (heartbeat.failure === null)
    findings.push(ok('heartbeat', `the hub hears it from ${heartbeat.exit_ip}${hostIp === null ? '' : `; the host is ${hostIp}`}`))
  else
    findings.push(
      fail('heartbeat', heartbeat.failure, 'Stop the agent and run doctor again: it then looks at the way to the hub piece by piece.'),
    )
  if (is_leaking)
    findings.push(fail('exit IP', "it is the host's own: nothing is let through", 'Check the interface and its routes (ip rule).'))
  if (tunnel.wanted) {
    const mend = 'A reverse proxy in front of the hub must pass "Upgrade" on; see the log of the agent.'
    findings.push(tunnel.sessions > 0 ? ok('tunnel', `${tunnel.sessions} connections stand`) : fail('tunnel', 'no connection stands', mend))
  }
  if (last?.state === 'failed')
    findings.push(warn('rotation', `the last one failed (${last.reason}): ${last.detail}`, 'Run mobilepool-agent rotate and see.'))
  return findings
}
