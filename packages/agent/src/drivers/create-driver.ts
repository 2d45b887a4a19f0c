import type { Clock } from '../clock.ts'
import type { PrivateDir } from '../state/private-dir.ts'
import { openAndroidAdbDriver } from './android-adb/android-adb.ts'
import { openAndroidLocalDriver } from './android-local/android-local.ts'
import { openAtDriver } from './at/at.ts'
import type { DeviceDriver } from './driver.ts'
import { openExecDriver } from './exec/exec.ts'
import { openHilinkDriver } from './hilink/hilink.ts'
import { openHttpLinkDriver } from './http-link/http-link.ts'
import { openModemManagerDriver } from './modemmanager/modemmanager.ts'
import { openQmiDriver } from './qmi/qmi.ts'
import { openSimulatedDriver } from './simulated.ts'
import { openZteDriver } from './zte/zte.ts'

/** What a driver may use besides its own options. */
export interface DriverParts {
  readonly clock: Clock
  readonly stateDir: Pick<PrivateDir, 'read' | 'write'>
  /** Name of the device. */
  readonly name: string
}

/** Opens the driver of one device. Throws `bad_config` naming the driver option that is wrong. */
export type DriverOpener = (options: Record<string, unknown>, parts: DriverParts) => Promise<DeviceDriver>

const openers = {
  simulated: openSimulatedDriver,
  'android-adb': openAndroidAdbDriver,
  'android-local': openAndroidLocalDriver,
  exec: openExecDriver,
  hilink: openHilinkDriver,
  zte: openZteDriver,
  'http-link': openHttpLinkDriver,
  at: openAtDriver,
  modemmanager: openModemManagerDriver,
  qmi: openQmiDriver,
} satisfies Record<string, DriverOpener>

export type DriverKind = keyof typeof openers

/** The ways to control a device. */
export const driverKinds = Object.keys(openers) as readonly DriverKind[]

/** Makes the driver of a device. Throws `bad_config` naming the driver option that is wrong. */
export const createDriver = (kind: DriverKind, options: Record<string, unknown>, parts: DriverParts): Promise<DeviceDriver> =>
  openers[kind](options, parts)
