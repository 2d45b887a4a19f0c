import { randomUUID } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { Device } from '../core/device.ts'
import { Session } from '../core/sessions.ts'
import type { Sticky } from '../core/view.ts'
import type { Emit } from '../events.ts'
import type { RedisLink } from './redis-link.ts'
import { claimScript, endSessionScript, leaveScript, liveScript, releaseScript } from './scripts.ts'

/** What came of asking for a place on one of several devices. */
export type ClaimAnswer =
  /** `place`: which of them. `aheadMs`: until then its pace is used up. */
  | { readonly kind: 'granted'; readonly place: number; readonly aheadMs: number }
  /** Another process has put the session on a device that is none of them. */
  | { readonly kind: 'session'; readonly deviceId: string }
  /** For each of them when it is worth asking again, ms. */
  | { readonly kind: 'full'; readonly waitsMs: readonly number[] }
  /** Redis is away: the pool's own limits have to do. */
  | { readonly kind: 'away' }

export interface SharedLimitsParts {
  readonly link: Pick<RedisLink, 'run'>
  readonly clock: Clock
  readonly emit: Emit
  readonly keys: SharedKeys
}

/** How long others count what a process holds after it was last heard, and how often it is heard, ms. */
const LIVES_MS = 3_000
const LIVE_EVERY_MS = 1_000
/** When a device whose places are all taken is asked for again, ms: nobody tells that another process has released one. */
const ASK_AGAIN_MS = 50
/** A process that was forgotten comes back as a new one; twice within one claim is a Redis that forgets. */
const REVIVALS = 2

const AWAY: ClaimAnswer = { kind: 'away' }

/** The names of everything that pools of one prefix share. The braces keep all of it on one node of a cluster, which scripts need. */
export class SharedKeys {
  readonly processes: string
  readonly bans: string
  readonly #prefix: string

  constructor(prefix: string) {
    this.#prefix = `{${prefix}}`
    this.processes = `${this.#prefix}:processes`
    this.bans = `${this.#prefix}:bans`
  }

  counts(deviceId: string): string {
    return `${this.#prefix}:counts:${deviceId}`
  }

  pace(deviceId: string): string {
    return `${this.#prefix}:pace:${deviceId}`
  }

  session(key: string): string {
    return `${this.#prefix}:session:${key}`
  }
}

/**
 * Limits and sessions that several processes share by Redis: each place on a device is asked for there, in one round trip. What a process
 * holds counts as long as it is heard, so that one that crashes frees it within `LIVES_MS`. While Redis is away every claim is
 * answered at once, so that the pool goes on with its own limits.
 */
export class SharedLimits {
  readonly #parts: SharedLimitsParts
  /** Requests under way by device, those that were begun without Redis too. */
  readonly #held = new Map<string, number>()
  readonly #base = randomUUID()
  #lives = 0
  #state: 'starting' | 'up' | 'down' | 'closed' = 'starting'
  #started: Promise<void> = Promise.resolve()
  #reviving: Promise<boolean> | null = null
  #callOff: (() => void) | null = null

  constructor(parts: SharedLimitsParts) {
    this.#parts = parts
  }

  /** Whether limits are shared now. */
  get isUp(): boolean {
    return this.#state === 'up'
  }

  /** Introduces this process; claims wait for that, once. */
  start(): void {
    this.#started = this.#live()
  }

  /** Asks for a place on the first of the devices that has one. Never rejects. */
  async claim(devices: readonly Device[], sticky: Sticky | null): Promise<ClaimAnswer> {
    if (this.#state === 'starting') await this.#started
    for (let revival = 0; revival <= REVIVALS; revival++) {
      if (!this.isUp) return AWAY
      const process = this.#process
      try {
        const answer = await this.#ask(process, devices, sticky instanceof Session ? sticky : null)
        // A grant to a process that was forgotten meanwhile is worth nothing.
        if (answer !== null && (answer.kind !== 'granted' || process === this.#process)) return answer
        if (process === this.#process && !(await this.#revive())) return AWAY
      } catch (error) {
        this.#goDown(error)
        return AWAY
      }
    }
    return AWAY
  }

  /** A request has the place that it claimed, or one that Redis was not asked for. */
  taken(device: Device): void {
    this.#held.set(device.id, (this.#held.get(device.id) ?? 0) + 1)
  }

  /** A request that had a place is over. */
  released(device: Device): void {
    const left = (this.#held.get(device.id) ?? 0) - 1
    if (left > 0) this.#held.set(device.id, left)
    else this.#held.delete(device.id)
    this.giveBack(device)
  }

  /** A place that was granted is not made use of. */
  giveBack(device: Device): void {
    if (!this.isUp) return
    const { link, keys } = this.#parts
    link.run(releaseScript, [keys.counts(device.id)], [this.#process]).catch((error: unknown) => this.#goDown(error))
  }

  /** The session is over in all processes, unless another one has moved it. */
  endSession({ key, sharedOn }: Session): void {
    if (!this.isUp || sharedOn === null) return
    const { link, keys } = this.#parts
    link.run(endSessionScript, [keys.session(key)], [sharedOn]).catch((error: unknown) => this.#goDown(error))
  }

  /** Gives everything back. */
  async close(): Promise<void> {
    const wasUp = this.isUp
    this.#state = 'closed'
    this.#callOff?.()
    const { link, keys } = this.#parts
    if (wasUp) await link.run(leaveScript, [keys.processes], [this.#process]).catch(() => {})
  }

  /** By it others know what this process holds; another one after it was forgotten. */
  get #process(): string {
    return `${this.#base}:${this.#lives}`
  }

  /** Null: the process is not known any more. */
  async #ask(process: string, devices: readonly Device[], session: Session | null): Promise<ClaimAnswer | null> {
    const { link, keys } = this.#parts
    const names = [keys.processes, keys.session(session?.key ?? '')]
    const args = [process, session === null ? '' : `=${session.sharedOn ?? ''}`, String(session?.ttlMs ?? 0)]
    for (const { id, limits } of devices) {
      names.push(keys.counts(id), keys.pace(id))
      args.push(id, String(Number.isFinite(limits.concurrency) ? limits.concurrency : 1e9), String(limits.cellMs), String(limits.burstMs))
    }
    const [kind, ...rest] = (await link.run(claimScript, names, args)) as [string, ...(string | number)[]]
    switch (kind) {
      case 'granted': {
        const place = Number(rest[0]) - 1
        if (session !== null) session.sharedOn = devices[place]?.id ?? null
        return { kind, place, aheadMs: Number(rest[1]) }
      }
      case 'session':
        if (session !== null) session.sharedOn = String(rest[0])
        return { kind, deviceId: String(rest[0]) }
      case 'full':
        return { kind, waitsMs: rest.map((wait) => (Number(wait) < 0 ? ASK_AGAIN_MS : Number(wait))) }
      default:
        return null
    }
  }

  /** Comes back as a new process, with all that it holds. False: Redis is away. */
  #revive(): Promise<boolean> {
    this.#reviving ??= this.#introduce()
      .then(
        () => true,
        (error: unknown) => {
          this.#goDown(error)
          return false
        },
      )
      .finally(() => {
        this.#reviving = null
      })
    return this.#reviving
  }

  async #introduce(): Promise<void> {
    const { link, keys } = this.#parts
    this.#lives++
    const held = [...this.#held]
    const names = [keys.processes, ...held.map(([id]) => keys.counts(id))]
    await link.run(liveScript, names, [this.#process, String(LIVES_MS), '1', ...held.map(([, count]) => String(count))])
  }

  async #live(): Promise<void> {
    const { link, keys, clock, emit } = this.#parts
    try {
      if (this.#state !== 'up') await this.#introduce()
      else if ((await link.run(liveScript, [keys.processes], [this.#process, String(LIVES_MS), '0'])) !== 1) await this.#revive()
      if (this.#state === 'starting' || this.#state === 'down') {
        this.#state = 'up'
        emit('redis', { isUp: true })
      }
    } catch (error) {
      this.#goDown(error)
    }
    if (this.#state !== 'closed') this.#callOff = clock.schedule(LIVE_EVERY_MS, () => void this.#live())
  }

  #goDown(error: unknown): void {
    if (this.#state === 'down' || this.#state === 'closed') return
    this.#state = 'down'
    this.#parts.emit('redis', { isUp: false, reason: error instanceof Error ? error.message : String(error) })
  }
}
