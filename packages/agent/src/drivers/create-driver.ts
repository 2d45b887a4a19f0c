import type { Clock } from '../clock.ts'
import type { PrivateDir } from '../state/private-dir.ts'
import type { DeviceDriver } from './driver.ts'
import { openSimulatedDriver } from './simulated.ts'

/** The ways to control a device. */
export const driverKinds = ['simulated'] as const
export type DriverKind = (typeof driverKinds)[number]

/** What a driver may use besides its own options. */
export interface DriverParts {
  readonly clock: Clock
  readonly stateDir: Pick<PrivateDir, 'read' | 'write'>
}

/** Makes the driver of a device. Throws `bad_config` naming the driver option that is wrong. */
export async function createDriver(kind: DriverKind, options: Record<string, unknown>, parts: DriverParts): Promise<DeviceDriver> {
  switch (kind) {
    case 'simulated':
      return openSimulatedDriver(options, parts)
  }
}
