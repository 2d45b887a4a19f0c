import { AndroidPhone } from '../android/android-phone.ts'
import type { DriverParts } from '../create-driver.ts'
import type { DeviceDriver } from '../driver.ts'
import { parseDriverOptions } from '../driver-options.ts'
import { MobileInterface } from '../mobile-interface.ts'
import { RebootBudget } from '../reboot-budget.ts'
import { Adb } from './adb.ts'
import { androidAdbOptions } from './options.ts'

/**
 * Opens a phone on this host: controlled by adb's shell, its traffic comes here by tethering. Options: `options.ts`. Throws `bad_config`.
 */
export async function openAndroidAdbDriver(options: Record<string, unknown>, parts: DriverParts): Promise<DeviceDriver> {
  const parsed = parseDriverOptions(androidAdbOptions, options)
  return new AndroidPhone({
    clock: parts.clock,
    shell: new Adb(parsed),
    reboots: new RebootBudget(parts),
    way: new MobileInterface(parsed),
    holdsMs: parsed.holdsMs,
    afterReboot: parsed.tethering === undefined ? ':' : `svc usb setFunctions ${parsed.tethering}`,
  })
}
