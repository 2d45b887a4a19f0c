import { AgentError } from '../errors.ts'
import { execSwitch } from './exec-switch.ts'
import type { PowerOptions } from './options.ts'
import { uhubctlSwitch } from './uhubctl-switch.ts'
import { usbReset } from './usb-reset.ts'

/** Takes a device's power and gives it back. */
export interface PowerSwitch {
  /** Throws `unsupported`, `permission_denied`, `device_unreachable`. */
  off(signal: AbortSignal): Promise<void>
  /** May be called when it is on. Throws as `off()`. */
  on(signal: AbortSignal): Promise<void>
}

/** The switch of a device. */
export function powerSwitchOf(options: PowerOptions, device: string): PowerSwitch {
  if (options.kind === 'uhubctl') return uhubctlSwitch(options)
  return options.kind === 'usb-reset' ? usbReset(options) : execSwitch(options, device)
}

/** Switching on is tried again: a device without power is lost until somebody comes. */
export async function switchOnSurely(power: PowerSwitch, signal: AbortSignal, tries = 3): Promise<void> {
  for (let left = tries; ; left -= 1) {
    try {
      return await power.on(signal)
    } catch (error) {
      if (left === 1 || signal.aborted || !(error instanceof AgentError)) throw error
    }
  }
}
