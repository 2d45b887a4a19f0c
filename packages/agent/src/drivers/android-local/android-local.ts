import { AndroidPhone } from '../android/android-phone.ts'
import { CellInterface } from '../android/cell-interface.ts'
import type { DriverParts } from '../create-driver.ts'
import type { DeviceDriver } from '../driver.ts'
import { parseDriverOptions } from '../driver-options.ts'
import { RebootBudget } from '../reboot-budget.ts'
import { LocalShell } from './local-shell.ts'
import { androidLocalOptions } from './options.ts'

/** Opens the phone that this agent runs on, in Termux: controlled by root's shell or Shizuku's. Options: `options.ts`. Throws `bad_config`. */
export async function openAndroidLocalDriver(options: Record<string, unknown>, parts: DriverParts): Promise<DeviceDriver> {
  const parsed = parseDriverOptions(androidLocalOptions, options)
  return new AndroidPhone({
    clock: parts.clock,
    shell: new LocalShell(parsed.shell),
    reboots: new RebootBudget(parts),
    way: new CellInterface(parsed.interface),
    holdsMs: parsed.holdsMs,
    afterReboot: ':',
  })
}
