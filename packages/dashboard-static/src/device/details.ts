import type { LastRotation, RotationFailure, RotationState, RotationTrigger } from '../fleet/device.ts'

/** What a device's own view shows beside its row: what the hub tells admins only. Times in ms since the epoch; null: nobody told. */
export interface Details {
  readonly tags: readonly string[]
  readonly isInMaintenance: boolean
  /** An agent runs on it, which can restart it. */
  readonly hasAgent: boolean
  readonly agentVersion: string | null
  readonly telemetry: Telemetry
  readonly dataUsedBytes: number | null
  readonly dataCapBytes: number | null
}

/** What its agent said last. */
interface Telemetry {
  readonly networkType: string | null
  /** Per cent. */
  readonly signal: number | null
  /** Per cent. */
  readonly battery: number | null
  /** Degrees Celsius. */
  readonly temperature: number | null
  readonly at: number | null
}

/** Its requests of the last 24 hours. */
export interface Traffic {
  readonly requests: number
  /** 0 to 1. */
  readonly successRate: number | null
  readonly p95Ms: number | null
  readonly bytes: number
}

/** One of its rotations; `state` is the outcome when it has ended. */
export interface RotationRecord {
  readonly id: string
  readonly state: RotationState
  readonly trigger: RotationTrigger | null
  readonly reason: RotationFailure | null
  readonly detail: string | null
  readonly oldIp: string | null
  readonly newIp: string | null
  readonly startedAt: number
  readonly durationMs: number | null
}

/** A stretch of time at one address. */
export interface IpStretch {
  readonly ip: string
  readonly from: number
  readonly to: number
  readonly isCurrent: boolean
  /** The device had it before so many times. */
  readonly seenBefore: number
  readonly isBlocked: boolean
  readonly blockedFor: readonly string[]
}

/** Has the rotation ended? */
export const hasEnded = (state: RotationState): state is LastRotation['outcome'] =>
  state === 'changed' || state === 'unchanged' || state === 'failed'
