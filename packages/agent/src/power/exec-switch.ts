import { runCommand } from '../drivers/run-command.ts'
import { AgentError } from '../errors.ts'
import type { PowerOptions } from './options.ts'
import type { PowerSwitch } from './power-switch.ts'

const CALL_MS = 15_000

/** Switches by the site's own commands. */
export function execSwitch({ off, on }: Extract<PowerOptions, { kind: 'exec' }>, device: string): PowerSwitch {
  const run = async ([program = '', ...args]: readonly string[], signal: AbortSignal): Promise<void> => {
    const { exitCode, lastLine } = await runCommand(program, args, { signal, timeoutMs: CALL_MS, env: { MP_DEVICE: device } })
    if (exitCode !== 0) throw new AgentError('device_unreachable', `${program} ended with code ${exitCode}: ${lastLine}`)
  }
  return { off: (signal) => run(off, signal), on: (signal) => run(on, signal) }
}
