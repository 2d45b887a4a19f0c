import type { CacheCounts } from './cache/response-cache.ts'
import type { RotationOutcome } from './contract/index.ts'
import type { Device, DeviceState } from './core/device.ts'
import type { Fleet } from './core/fleet.ts'
import { cellsLeft } from './core/limits.ts'
import type { RequestCounts } from './dispatch/dispatch-engine.ts'
import type { RotationTally } from './rotation/rotations.ts'
import type { UsageStats } from './sources/hub/usage-reports.ts'
import type { MeterReading } from './telemetry/meters.ts'

/** One device, now and since the pool began. Times are milliseconds since 1970. */
export interface DeviceStats extends MeterReading {
  /** As `pool.rotate` takes it. */
  readonly id: string
  /** What people call it. */
  readonly name: string
  /** Whether it takes requests, and why not. */
  readonly state: DeviceState
  /** The address that sites see; null: not known. */
  readonly exitIp: string | null
  /** Requests under way on it. */
  readonly inFlight: number
  /** Its limits, and what is left of its pace: requests that it could begin at once now. Null: not limited. */
  readonly limits: { readonly concurrency: number; readonly requestsPerMinute: number | null; readonly paceLeft: number | null }
  /** Attempts sent to it; `outcomes` has those that are over. */
  readonly requests: number
  /** Failures that were its own. */
  readonly faults: number
  /** Ban answers met through it. */
  readonly bans: number
  /** How often its failures took it out. */
  readonly ejections: number
  /** How often its connections were thrown away. */
  readonly generation: number
  /** By outcome, and the last one. */
  readonly rotations: Readonly<RotationTally>
  /** Sites that its exit IP is not used for. */
  readonly quarantines: readonly { readonly site: string; readonly until: number }[]
}

/** Where a pool stands now, and what it did since it began. */
export interface PoolStats extends MeterReading {
  /** Requests since the pool began, by how they ended, and those under way and waiting now. */
  readonly requests: Readonly<RequestCounts> & { readonly inFlight: number; readonly queued: number }
  /** Answers that the option `cache` gave, which are not among `requests`; null where there is no cache. */
  readonly cache: Readonly<CacheCounts> | null
  /** Whether the hub's stream of changes is up; always true for a fixed list. */
  readonly isSourceUp: boolean
  /** Whether limits, sessions and quarantines are shared by Redis now; null: without the option `redis`. */
  readonly isShared: boolean | null
  /** Devices that take requests now. */
  readonly ready: number
  /** Rotations of its devices that are over, whoever asked for them. */
  readonly rotations: Readonly<Record<RotationOutcome, number>>
  /** Pairs of a device's exit IP and a site that are not used now. */
  readonly quarantines: number
  /** Records of attempts for the hub; null where none are made. */
  readonly usage: UsageStats | null
  /** Each of its devices. */
  readonly devices: readonly DeviceStats[]
}

/** What of a device lies outside the core. */
export interface DeviceExtras {
  readonly generationOf: (device: Device) => number
  readonly rotationsOf: (device: Device) => Readonly<RotationTally>
  readonly meterOf: (device: Device) => MeterReading
}

/** A snapshot of the fleet: it does not change with the pool. */
export function fleetStats(fleet: Fleet, { generationOf, rotationsOf, meterOf }: DeviceExtras, now: number): DeviceStats[] {
  return [...fleet.all()].map((device) => ({
    id: device.id,
    name: device.facts.name,
    state: device.state,
    exitIp: device.exitIp,
    inFlight: device.inFlight,
    limits: limitsShown(device, now),
    requests: device.requests,
    ...device.tally,
    ...meterOf(device),
    generation: generationOf(device),
    rotations: { ...rotationsOf(device) },
    quarantines: [...device.exit.sites].filter(([, { until }]) => until > now).map(([site, { until }]) => ({ site, until })),
  }))
}

const limitsShown = (device: Device, now: number): DeviceStats['limits'] => {
  const { concurrency, cellMs } = device.limits
  return { concurrency, requestsPerMinute: cellMs === 0 ? null : 60_000 / cellMs, paceLeft: cellMs === 0 ? null : cellsLeft(device, now) }
}
