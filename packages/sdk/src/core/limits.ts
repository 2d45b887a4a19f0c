import type { Device } from './device.ts'

export interface LimitSettings {
  /** Requests in flight on one device. */
  readonly concurrency: number
  /** Requests that one device begins a minute, in the long run. Null: no limit. */
  readonly requestsPerMinute: number | null
  /** Of those, how many may begin at once after a pause. */
  readonly burst: number
  /** Requests in flight on one device to one site. Null: no limit of its own. */
  readonly concurrentPerSite: number | null
}

/** What a device may have of its own, instead of the pool's. */
export interface OwnLimits {
  readonly concurrency?: number | undefined
  readonly requestsPerMinute?: number | undefined
}

/** A device's limits as they are counted. */
export interface DeviceLimits {
  readonly concurrency: number
  /** Milliseconds that one request takes of the device's minute; 0: no limit. */
  readonly cellMs: number
  /** How far ahead of its pace the device may be. */
  readonly burstMs: number
}

/** For a device that nobody limits. */
export const UNLIMITED: DeviceLimits = { concurrency: Number.POSITIVE_INFINITY, cellMs: 0, burstMs: 0 }

/** The limits of a device that may have its own. */
export function limitsFor(own: OwnLimits | undefined, settings: LimitSettings): DeviceLimits {
  const requestsPerMinute = own?.requestsPerMinute ?? settings.requestsPerMinute
  const cellMs = requestsPerMinute === null ? 0 : 60_000 / requestsPerMinute
  return { concurrency: own?.concurrency ?? settings.concurrency, cellMs, burstMs: cellMs * (settings.burst - 1) }
}

/** How many requests may be in flight on a device that is up, whatever their site. A device on probation gets one at a time. */
export const capacityOf = ({ nextCellAt, probing, limits }: Device): number => (nextCellAt > 0 ? 0 : probing ? 1 : limits.concurrency)

/**
 * Counts a request against the device's pace: GCRA, the leaky bucket of ATM (ITU-T I.371) with two numbers a device and no timer.
 * Sets `nextCellAt` when the next request has to wait. An attempt that fails before the device was reached counts too: a device
 * that cannot be reached must not be tried faster than one that works.
 */
export function takeCell(device: Device, now: number): void {
  const { cellMs, burstMs } = device.limits
  if (cellMs === 0) return
  device.pacedUntil = Math.max(device.pacedUntil, now) + cellMs
  const nextAt = device.pacedUntil - burstMs
  if (nextAt > now) device.nextCellAt = nextAt
}

/** How many requests the device may begin at once now, as far as its pace goes; infinity without a limit. */
export function cellsLeft({ limits, pacedUntil }: Device, now: number): number {
  const { cellMs, burstMs } = limits
  if (cellMs === 0) return Number.POSITIVE_INFINITY
  // A millionth is what floating point loses, not a request.
  return Math.max(0, Math.floor((burstMs + cellMs - Math.max(0, pacedUntil - now)) / cellMs + 1e-6))
}
