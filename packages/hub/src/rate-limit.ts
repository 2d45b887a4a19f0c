/** Keys remembered at once; when there are more, the one unused for longest is forgotten. */
const MAX_KEYS = 10_000
const MINUTE_MS = 60_000

/**
 * Allows each key a number of events a minute (or another time), all at once or spread out (GCRA: one number a key).
 * Takes the time as an argument and keeps at most 10,000 keys.
 */
export class RateLimit {
  readonly #limit: number
  readonly #windowMs: number
  readonly #full = new Map<string, number>()

  constructor(limit: number, windowMs: number = MINUTE_MS) {
    this.#limit = limit
    this.#windowMs = windowMs
  }

  /**
   * Counts one event. 0 when it is within the limit, else the milliseconds until the next one would be; those are not counted.
   * `limit`: of this key, where it has one of its own.
   */
  take(key: string, now: number, limit: number = this.#limit): number {
    const waitMs = this.waitFor(key, now, limit)
    if (waitMs > 0) return waitMs
    const empty = Math.max(this.#full.get(key) ?? 0, now)
    this.#full.delete(key)
    this.#full.set(key, empty + this.#windowMs / limit)
    if (this.#full.size > MAX_KEYS) this.#full.delete(this.#full.keys().next().value ?? key)
    return 0
  }

  /** The wait as `take` would say it, without counting. */
  waitFor(key: string, now: number, limit: number = this.#limit): number {
    const spacingMs = this.#windowMs / limit
    const waitMs = Math.max(this.#full.get(key) ?? 0, now) + spacingMs - now - limit * spacingMs
    // Rounding must not refuse the last one of a full minute.
    return waitMs > 1e-6 ? waitMs : 0
  }

  /** How many events would pass at once now, and the ms until all of them would. */
  state(key: string, now: number, limit: number = this.#limit): { left: number; resetMs: number } {
    const resetMs = Math.max(0, (this.#full.get(key) ?? 0) - now)
    return { left: Math.max(0, Math.floor(limit - (resetMs * limit) / this.#windowMs + 1e-6)), resetMs }
  }

  /** Forgets what a key has done. */
  clear(key: string): void {
    this.#full.delete(key)
  }
}
