import type { AttemptKind } from '../errors.ts'
import type { Device } from './device.ts'

/** What keeps requests on one device: a session, a lease, the hops of one `fetch`. */
export interface Sticky {
  /** Key of the session that it is; null: it is none that a caller named. */
  readonly key: string | null
  /** Where they are now; null: not decided. */
  readonly device: Device | null
  /** Whether the device may serve its requests now. */
  accepts(device: Device): boolean
  /** A request of it got this device: told in the same step, so that two requests never get two devices. */
  taken(device: Device): void
  /** The request did not get it after all. */
  untaken?(device: Device): void
  /** A request of it met this on the device. */
  failed(device: Device, kind: AttemptKind): void
  /** Why it may serve no request any more; null: it may. */
  readonly breach: Breach | null
}

/** Why requests that keep together get no device any more. */
export type Breach =
  /** An exit IP that a session was promised is gone. */
  | { readonly kind: 'session_ip_changed'; readonly session: string; readonly device: Device; readonly oldIp: string | null }
  /** What a lease was for is gone, or about to be. */
  | { readonly kind: 'lease_lost'; readonly device: Device; readonly why: 'offline' | 'ejected' | 'banned' }
  | { readonly kind: 'lease_lost'; readonly device: Device; readonly why: 'rotating' | 'ip_changed'; readonly oldIp: string | null }
  | { readonly kind: 'lease_released'; readonly device: Device }

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
  /** Keeps its requests on one device; null: nothing does. What it accepts is part of `accepts`. */
  readonly sticky: Sticky | null
  /** What is other than in the pool's `retry`. */
  readonly retry: { readonly attempts?: number; readonly methods?: 'idempotent' | 'all' } | null
  /** A ban answer is an answer like any other. */
  readonly ignoresBans: boolean
  /** No second device is asked while the first one connects. */
  readonly isUnhedged: boolean
  /** Only asks which device it would be, and takes no place there: it counts for no limit. */
  readonly isInquiry: boolean
  /** Whom it is for, as an embedding program has it: told to whoever records attempts. */
  readonly owner: unknown
}

/** A request that asks for nothing in particular. */
export const PLAIN_VIEW: View = {
  accepts: null,
  hashKey: null,
  priority: 0,
  queueTimeoutMs: null,
  sticky: null,
  retry: null,
  ignoresBans: false,
  isUnhedged: false,
  isInquiry: false,
  owner: null,
}
