import { type Device, exitOf, isPending } from '../fleet/device.ts'
import type { Fleet } from '../fleet/fleet.ts'
import { isUp } from '../fleet/status.ts'
import type { DataPlanView } from './rules/data-caps.ts'
import type { DatabaseHealth } from './rules/database.ts'
import type { RotationOutcomes } from './rules/rotation-outcomes.ts'
import type { DeviceMap, WatchedDevice } from './rules/subjects.ts'
import type { Rates } from './rules/success-rate.ts'

/** What the rules look at, as it stands. */
export interface Sights {
  devices: () => DeviceMap
  /** Exit IPs that the fleet works with. */
  exits: () => number
  /** Of the latest so many seconds. */
  rates: (windowSeconds: number) => Rates
  dataPlans: DataPlanView
  /** Whether all requests of a user or a key are used. */
  isUsedUp: (of: 'user' | 'key', id: string) => boolean
  rotations: RotationOutcomes
  database: Pick<DatabaseHealth, 'findings'>
}

/** The fleet as the rules see it, with what other parts know. */
export const sightsOf = ({ fleet, ...others }: Omit<Sights, 'devices' | 'exits'> & { fleet: Fleet }): Sights => ({
  ...others,
  devices: () => new Map([...fleet.all].map((device) => [device.id, watched(device, fleet)])),
  exits: () => new Set([...fleet.all].filter((device) => isUp(fleet.status(device))).map((device) => exitOf(device)?.current)).size,
})

function watched(device: Device, fleet: Fleet): WatchedDevice {
  const { isSilent, silentFrom } = fleet.sight(device)
  return {
    id: device.id,
    name: device.name,
    operator: device.operator,
    region: device.region,
    lastHeartbeat: device.lastHeartbeat,
    silentFrom,
    isSilent,
    vigil: device.vigil,
    isExempt: isPending(device) || device.maintenance,
    isRotating: device.rotation !== null && device.rotation.state !== 'queued',
    battery: device.telemetry?.said.battery ?? null,
  }
}
