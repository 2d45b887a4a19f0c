import { readFile, statfs } from 'node:fs/promises'
import { createServer } from 'node:net'
import { z } from 'zod'
import type { Clock } from '../clock.ts'
import type { AgentConfig } from '../config.ts'
import { RebootBudget } from '../drivers/reboot-budget.ts'
import { loadIdentity } from '../state/identity.ts'
import { PrivateDir } from '../state/private-dir.ts'
import { type Finding, fail, ok, reasonOf, warn } from './finding.ts'

/** Results, learned holds and a log take little; a full disk loses them. */
const LITTLE_BYTES = 50 * 1024 * 1024

/** The state folder: writable, with room, and with a key of the right device. */
export async function checkFolder(config: AgentConfig): Promise<Finding[]> {
  const { stateDir, name } = config
  let dir: PrivateDir
  try {
    dir = await PrivateDir.open(stateDir)
    await dir.write('doctor.json', { looked: true })
    await dir.read('doctor.json', z.object({ looked: z.literal(true) }))
    await dir.remove('doctor.json')
  } catch (error) {
    return [fail('state folder', reasonOf(error), `Make ${stateDir} writable for this user, or give another --state-dir.`)]
  }
  const { bavail, bsize } = await statfs(stateDir)
  const free = bavail * bsize
  const room = `${stateDir} is writable, ${Math.round(free / 1_048_576)} MB are free`
  const findings = [
    free < LITTLE_BYTES ? warn('state folder', room, 'Make room: results that cannot be written are lost.') : ok('state folder', room),
  ]
  try {
    const identity = await loadIdentity(dir, name)
    findings.push(
      identity
        ? ok('enrolment', `${name} has its key (device ${identity.deviceId})`)
        : fail(
            'enrolment',
            `${name} has no key yet`,
            'Make a token on the hub (POST /api/v1/agents/tokens), then: mobilepool-agent enroll --token TOKEN',
          ),
    )
  } catch (error) {
    findings.push(fail('enrolment', reasonOf(error), 'Give the --name that the folder is of, or another --state-dir.'))
  }
  return findings
}

/** Whether the device may be rebooted now. */
export async function checkReboots({ stateDir }: AgentConfig, clock: Clock): Promise<Finding> {
  const { left, againAt } = await new RebootBudget({ clock, stateDir: await PrivateDir.open(stateDir) }).look()
  if (againAt === null) return ok('reboots', `${left} reboots are left for today`)
  const minutes = Math.ceil((againAt - clock.now()) / 60_000)
  return warn(
    'reboots',
    `the device was rebooted lately, and may be again in ${minutes} min`,
    'Find out why it has to be rebooted; data off and on is milder.',
  )
}

/** Whether the proxy's port can be had. */
export function checkPort({ listen: { host, port } }: AgentConfig): Promise<Finding> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      resolve(
        fail('proxy port', `${host}:${port} cannot be listened on (${error.code})`, 'Give another --listen, or port 0 for a free one.'),
      ),
    )
    server.listen(port, host, () =>
      server.close(() => resolve(ok('proxy port', port === 0 ? `a free port of ${host} is taken` : `${host}:${port} is free`))),
    )
  })
}

/** Bit 12 of the capabilities (capabilities(7)). */
const NET_ADMIN = 1n << 12n

/** Whether this process may set routes. */
export async function checkRoutes({ policyRoutes }: AgentConfig, link: string | null): Promise<Finding> {
  if (link === null || !policyRoutes)
    return ok('routes', link === null ? 'the device needs none on this host' : 'they are left to somebody else (--no-policy-routes)')
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '')
  const bits = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'
  if ((BigInt(`0x${bits}`) & NET_ADMIN) !== 0n) return ok('routes', `those of ${link} can be set`)
  const mend = 'Run the agent as root or with CAP_NET_ADMIN (install does so), or set the routes yourself and say --no-policy-routes.'
  return fail('routes', `this user may not set the routes of ${link}`, mend)
}
