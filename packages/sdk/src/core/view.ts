import type { Device } from './device.ts'

/** What a request asks of the pool beyond its target. Fixed for all its attempts. */
export interface View {
  /** Which devices may serve it at all; null: every device. */
  readonly accepts: ((device: Device) => boolean) | null
  /** What `ip-hash` hashes; null: the request's site. */
  readonly hashKey: string | null
  /** Who waits with a higher number is served first; among equals first come, first served. */
  readonly priority: number
  /** How long it waits for a device, ms; null: as long as the pool's `queue.timeoutMs`. */
  readonly queueTimeoutMs: number | null
}

/** A request that asks for nothing in particular. */
export const PLAIN_VIEW: View = { accepts: null, hashKey: null, priority: 0, queueTimeoutMs: null }
