import { runCommand } from '../drivers/run-command.ts'
import { AgentError } from '../errors.ts'
import type { PowerOptions } from './options.ts'
import type { PowerSwitch } from './power-switch.ts'

const CALL_MS = 15_000

/**
 * Switches one port of a hub by uhubctl, always by hub and port: without them it switches every hub that there is. A hub that switches all
 * its ports together is refused, as the others on it would go too.
 */
export function uhubctlSwitch({ uhubctl, hub, port }: Extract<PowerOptions, { kind: 'uhubctl' }>): PowerSwitch {
  const call = async (args: readonly string[], signal: AbortSignal): Promise<string> => {
    const { exitCode, stdout, stderr, lastLine } = await runCommand(uhubctl, ['-l', hub, '-p', String(port), ...args], {
      signal,
      timeoutMs: CALL_MS,
    })
    if (/No compatible devices detected/.test(stderr + stdout)) {
      throw new AgentError('unsupported', `uhubctl finds no hub ${hub} that can switch its port ${port} (or may not see it: run as root).`)
    }
    if (/Permission denied|LIBUSB_ERROR_ACCESS/i.test(stderr)) {
      throw new AgentError(
        'permission_denied',
        'This user may not switch USB hubs: run the agent as root, or add the udev rule of uhubctl.',
      )
    }
    if (exitCode !== 0) throw new AgentError('device_unreachable', `uhubctl: ${lastLine}`)
    return stdout
  }
  const isPowered = (text: string): boolean | null => {
    const state = new RegExp(`^\\s+Port ${port}: [0-9a-f]{4}(.*)$`, 'm').exec(text)?.[1]
    return state === undefined ? null : /\bpower\b/.test(state)
  }
  const turn = async (to: 'on' | 'off', signal: AbortSignal): Promise<void> => {
    const before = await call([], signal)
    if (/^Current status for hub .*\bganged\b/m.test(before)) {
      throw new AgentError('unsupported', `The hub ${hub} switches all its ports together: what else is on it would lose its power too.`)
    }
    if (isPowered(before) === (to === 'on')) return
    await call(['-a', to], signal)
    if (isPowered(await call([], signal)) === (to === 'on')) return
    throw new AgentError('unsupported', `uhubctl switched port ${port} of hub ${hub} ${to}, and it is not.`)
  }
  return { off: (signal) => turn('off', signal), on: (signal) => turn('on', signal) }
}
