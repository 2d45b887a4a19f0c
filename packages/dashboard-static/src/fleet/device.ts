import type { DeviceJson, RotationJson } from '@mobilepool/sdk/contract'

/** A status as the page knows it: the contract's, or `unknown` for what a newer hub may say. */
export type Status = DeviceJson['status'] | 'unknown'

export type DeviceType = DeviceJson['device_type']
export type RotationState = RotationJson['state']
export type RotationOutcome = 'changed' | 'unchanged' | 'failed'
export type RotationTrigger = RotationJson['trigger']
export type RotationFailure = NonNullable<RotationJson['reason']>

/** The last rotation that ended. */
export interface LastRotation {
  readonly outcome: RotationOutcome
  readonly trigger: RotationTrigger | null
  readonly reason: RotationFailure | null
  /** ms since the epoch, the hub's clock. */
  readonly endedAt: number
  readonly durationMs: number
}

/** A rotation under way. */
export interface RunningRotation {
  readonly id: string
  readonly state: RotationState
  /** ms since the epoch, the hub's clock. */
  readonly startedAt: number
}

/**
 * One device as the page shows it, made from a line of `GET /status` or from the whole device that a key lets one see.
 * Where the device's proxy is reached, with its password, is not among the fields: the page has no use for it.
 */
export interface Device {
  readonly id: string
  readonly name: string
  readonly type: DeviceType
  readonly status: Status
  readonly operator: string | null
  readonly region: string | null
  readonly exitIp: string | null
  /** Since when the exit IP is this one, ms since the epoch; null where nobody told. */
  readonly exitIpSince: number | null
  readonly ipChanges: number
  readonly rotations: Readonly<Record<RotationOutcome, number>>
  readonly lastRotation: LastRotation | null
}
