import { rotationMethod } from '@mobilepool/sdk/contract'
import type { Command } from 'commander'
import { systemClock } from '../clock.ts'
import type { Flags, Gathered } from '../config-sources.ts'
import { pastRotation } from '../control/agent-desk.ts'
import { askOnce } from '../control/control-client.ts'
import { agentStatus } from '../control/status.ts'
import { AgentError } from '../errors.ts'
import { createLogger } from '../logger.ts'
import { openDevice } from '../open-device.ts'
import { directRotator } from '../rotation/rotate-directly.ts'
import { addPlaceOptions, gathered, onlyConfig, onlyFolder } from './config-options.ts'
import { renderRotation } from './status-command.ts'

type Outcome = ReturnType<typeof pastRotation>

/** Three tries of a slow modem. */
const DEADLINE_S = 150

/** `mobilepool-agent rotate`. */
export function addRotateCommand(program: Command): void {
  const command = program
    .command('rotate')
    .description('get the device a new exit IP now; exit code 0: it changed, 2: it is as before, 1: the rotation failed')
  addPlaceOptions(command)
    .option('--method <method>', `only by this: ${rotationMethod.options.join(', ')}`)
    .option('--deadline <seconds>', 'give it up after that long; the device is switched on again all the same', Number, DEADLINE_S)
    .option('--json', 'print the outcome as JSON')
    .action(rotate)
}

async function rotate(flags: Flags): Promise<void> {
  const from = gathered(flags)
  const place = onlyFolder(from)
  const method = rotationMethod.nullable().safeParse(flags.method ?? null)
  if (!method.success) throw new AgentError('bad_config', `--method: must be one of: ${rotationMethod.options.join(', ')}`)
  const seconds = Number(flags.deadline)
  if (!(seconds >= 1 && seconds <= 900)) throw new AgentError('bad_config', '--deadline: must be 1 to 900 seconds')
  const order = { method: method.data, deadline_ms: Math.round(seconds * 1_000) }

  const outcome = await askOnce(place.stateDir, 'POST', '/rotate', order).then(
    (answer) => agentStatus.shape.last_rotation.unwrap().parse(answer),
    (error: unknown) => {
      if (error instanceof AgentError && error.code === 'not_running') return rotateDirectly(from, order)
      throw error
    },
  )
  console.log(flags.json ? JSON.stringify(outcome) : `${place.name}: ${renderRotation(outcome)}`)
  process.exitCode = { changed: 0, unchanged: 2, failed: 1 }[outcome.state]
}

/** Without a running agent: the state folder is locked meanwhile, so that none is started. */
async function rotateDirectly(from: Gathered, order: { method: Outcome['method']; deadline_ms: number }): Promise<Outcome> {
  const config = onlyConfig(from)
  const log = createLogger(config.logLevel === 'info' ? 'warn' : config.logLevel, config.name)
  const device = await openDevice(config, { clock: systemClock, random: Math.random, log })
  const stopping = new AbortController()
  const stop = (): void => stopping.abort(new AgentError('canceled', 'The rotation was canceled.'))
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  try {
    const rotator = await directRotator(device)
    const deadlineAt = device.clock.now() + order.deadline_ms
    const startedAt = device.clock.now()
    const result = await rotator.rotateHere({ method: order.method, drainMs: 0, deadlineAt }, stopping.signal)
    return pastRotation({ by: 'here', startedAt, endedAt: device.clock.now(), result })
  } finally {
    process.off('SIGINT', stop)
    process.off('SIGTERM', stop)
    await device.close()
  }
}
