/** Keys remembered at once; when there are more, the one unused for longest is forgotten. */
const MAX_KEYS = 10_000

/**
 * Allows each key a number of events a minute, all at once or spread out (GCRA: one number a key).
 * Takes the time as an argument and keeps at most 10,000 keys.
 */
export class RateLimit {
  readonly #perMinute: number
  readonly #spacingMs: number
  readonly #full = new Map<string, number>()

  constructor(perMinute: number) {
    this.#perMinute = perMinute
    this.#spacingMs = 60_000 / perMinute
  }

  /** Counts one event. 0 when it is within the limit, else the milliseconds until the next one would be; those are not counted. */
  take(key: string, now: number): number {
    const waitMs = this.waitFor(key, now)
    if (waitMs > 0) return waitMs
    const empty = Math.max(this.#full.get(key) ?? 0, now)
    this.#full.delete(key)
    this.#full.set(key, empty + this.#spacingMs)
    if (this.#full.size > MAX_KEYS) this.#full.delete(this.#full.keys().next().value ?? key)
    return 0
  }

  /** The wait as `take` would say it, without counting. */
  waitFor(key: string, now: number): number {
    const waitMs = Math.max(this.#full.get(key) ?? 0, now) + this.#spacingMs - now - this.#perMinute * this.#spacingMs
    // Rounding must not refuse the last one of a full minute.
    return waitMs > 1e-6 ? waitMs : 0
  }
}
