import type { AttemptKind } from '../errors.ts'
import type { Device } from './device.ts'
import type { Breach, Sticky } from './view.ts'

/**
 * What a session does when its exit IP changes.
 *
 * - `follow`: stays with its device, whatever its IP; goes to another only when the device is offline, ejected, gone, or fails a request.
 * - `move`: goes to another device also when the IP has changed, is about to, or is banned by the site of a request.
 * - `fail`: keeps device and IP; when the IP is gone, every request that has no answer yet fails, and so does every later one.
 */
export type OnIpChange = 'follow' | 'move' | 'fail'

/** What is no reason to leave a device. */
const STAYS: Readonly<Record<OnIpChange, (kind: AttemptKind) => boolean>> = {
  follow: (kind) => ['banned', 'target_error', 'target_unreachable', 'draining', 'rotated', 'aborted', 'caller', 'answered'].includes(kind),
  move: (kind) => ['target_error', 'target_unreachable', 'aborted', 'caller', 'answered'].includes(kind),
  fail: () => true,
}

/** Requests that stay together: the first decides on the device, the others follow. */
export class Session implements Sticky {
  readonly key: string
  onIpChange: OnIpChange
  /** The device that it is on; null until a request got one. */
  device: Device | null = null
  breach: Breach | null = null
  /** How long it lasts without a request, ms. */
  ttlMs = 0
  /** The device that it was on in the processes it is shared with, when they were asked last; null: it is shared with none. */
  sharedOn: string | null = null
  /** A request of it that has just got its device has not got it for good. */
  #hadDevice: boolean = false
  #epoch = 0
  #exitIp: string | null = null

  constructor(key: string, onIpChange: OnIpChange) {
    this.key = key
    this.onIpChange = onIpChange
  }

  accepts(device: Device): boolean {
    if (this.breach !== null) return false
    return this.device === null || this.device === device || this.#mayLeave(this.device)
  }

  taken(device: Device): void {
    this.#hadDevice = this.device !== null
    if (device === this.device && device.exitEpoch === this.#epoch) {
      this.#exitIp ??= device.exitIp
      return
    }
    this.device = device
    this.#epoch = device.exitEpoch
    this.#exitIp = device.exitIp
  }

  untaken(device: Device): void {
    if (!this.#hadDevice && device === this.device) this.device = null
  }

  failed(device: Device, kind: AttemptKind): void {
    if (device === this.device && !STAYS[this.onIpChange](kind)) this.device = null
  }

  /** The device has lost its exit IP. Returns the breach where that is one. */
  exitLeft(device: Device): Breach | null {
    if (this.onIpChange !== 'fail' || device !== this.device || this.breach !== null) return null
    this.breach = { kind: 'session_ip_changed', session: this.key, device, oldIp: this.#exitIp }
    return this.breach
  }

  /** Forgets device and breach: the next request begins anew. */
  renew(): void {
    this.breach = null
    this.device = null
    this.sharedOn = null
  }

  #mayLeave(device: Device): boolean {
    if (this.onIpChange === 'fail') return false
    if (device.rotating || device.returning) return this.onIpChange === 'move'
    if (!device.online || device.rest?.reason === 'ejected') return true
    return this.onIpChange === 'move' && device.exitEpoch !== this.#epoch
  }
}

/** How a session behaves. */
export interface SessionConduct {
  readonly onIpChange: OnIpChange
  /** It ends when no request came for so long. */
  readonly ttlMs: number
  /** Whether its device rotates when it is over. @default what the pool does with all sessions */
  readonly rotatesAfter?: boolean | undefined
}

interface Entry {
  readonly session: Session
  readonly ttlMs: number
  readonly rotatesAfter: boolean | undefined
  usedAt: number
}

/** A session on that device is over; `rotatesAfter` as its conduct has it. */
type SessionsEnd = (device: Device, rotatesAfter: boolean | undefined) => void

/** The sessions of a pool by their keys: bounded in number (the one unused for longest goes first) and in time without a request. */
export class Sessions {
  readonly #max: number
  readonly #onEnd: SessionsEnd
  /** In the order of use. */
  readonly #entries = new Map<string, Entry>()

  constructor(max: number, onEnd: SessionsEnd) {
    this.#max = max
    this.#onEnd = onEnd
  }

  get size(): number {
    return this.#entries.size
  }

  /** The session of a key, for a request now; made when there is none. */
  use(key: string, { onIpChange, ttlMs, rotatesAfter }: SessionConduct, now: number): Session {
    this.expire(now)
    const known = this.#entries.get(key)
    if (known !== undefined && isOver(known, now)) this.end(key)
    const session = this.#entries.get(key)?.session ?? new Session(key, onIpChange)
    session.onIpChange = onIpChange
    session.ttlMs = ttlMs
    this.#entries.delete(key)
    this.#entries.set(key, { session, ttlMs, rotatesAfter, usedAt: now })
    if (this.#entries.size > this.#max) {
      const [oldest] = this.#entries.keys()
      if (oldest !== undefined) this.end(oldest)
    }
    return session
  }

  /** The session of a key; undefined when there is none. Does not count as use. */
  find(key: string, now: number): Session | undefined {
    const entry = this.#entries.get(key)
    return entry === undefined || isOver(entry, now) ? undefined : entry.session
  }

  /** Ends a session; false when there is none. */
  end(key: string): boolean {
    const entry = this.#entries.get(key)
    if (entry === undefined) return false
    this.#entries.delete(key)
    if (entry.session.device !== null) this.#onEnd(entry.session.device, entry.rotatesAfter)
    return true
  }

  /**
   * Ends what was not used for its time. Looks at the oldest only, and stops at the first that lives: one with a longer time may hold
   * up others for that long, which `find` and `use` still tell apart.
   */
  expire(now: number): void {
    for (const [key, entry] of this.#entries) {
      if (!isOver(entry, now)) return
      this.end(key)
    }
  }

  *[Symbol.iterator](): Generator<Session> {
    for (const { session } of this.#entries.values()) yield session
  }
}

const isOver = ({ usedAt, ttlMs }: Entry, now: number): boolean => usedAt + ttlMs <= now
