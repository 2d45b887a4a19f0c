import type { Refusal } from '../errors.ts'
import { limitKey } from '../fleet/address.ts'
import { RateLimit } from '../rate-limit.ts'

/** Wrong keys and tokens that one address may present a minute. */
const WRONG_PER_MINUTE = 30

/** Counts wrong secrets by address. Right ones are never counted: phones of one carrier share addresses. */
export class Attempts {
  readonly #limit = new RateLimit(WRONG_PER_MINUTE)
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  /** Whether the address has guessed too often to be worth a query. */
  isExhausted(address: string): boolean {
    return this.#limit.waitFor(limitKey(address), this.#now()) > 0
  }

  /** A wrong secret: the refusal given, or after too many of them another one. */
  wrong(address: string, refusal: Refusal): Refusal {
    const waitMs = this.#limit.take(limitKey(address), this.#now())
    if (waitMs === 0) return refusal
    const retryAfter = Math.ceil(waitMs / 1000)
    const detail = `More than ${WRONG_PER_MINUTE} wrong keys a minute from ${address}. Try again in ${retryAfter} s.`
    return { code: 'too_many_requests', detail, retryAfter }
  }
}
