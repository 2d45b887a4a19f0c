import type { Refusal } from '../errors.ts'
import { limitKey } from '../fleet/address.ts'
import { RateLimit } from '../rate-limit.ts'
import type { Caller } from './caller.ts'

/** How a limit stands after a request. */
export interface LimitState {
  /** Requests a minute. */
  limit: number
  left: number
  resetMs: number
  /** Null: within the limit. */
  refusal: Refusal | null
}

/** How many requests a minute callers, and addresses without a key, may send to the API. */
export class RequestLimits {
  readonly #settings: () => { perCaller: number; perAddress: number }
  readonly #now: () => number
  readonly #callers = new RateLimit(1)
  readonly #addresses = new RateLimit(1)

  /** `settings` may change while the hub runs. */
  constructor(settings: () => { perCaller: number; perAddress: number }, now: () => number) {
    this.#settings = settings
    this.#now = now
  }

  /** Counts a request of a key or a user. All logins of a user count together. */
  takeCaller(caller: Caller): LimitState {
    const limit = caller.rateLimit ?? this.#settings().perCaller
    const key = caller.keyId ?? caller.userId ?? caller.id
    return this.#take(this.#callers, key, limit, caller.keyId === null ? caller.name : `The key "${caller.name}"`)
  }

  /** Counts a request without a key. */
  takeAddress(address: string): LimitState {
    return this.#take(this.#addresses, limitKey(address), this.#settings().perAddress, address)
  }

  #take(limits: RateLimit, key: string, limit: number, who: string): LimitState {
    const now = this.#now()
    const waitMs = limits.take(key, now, limit)
    const state = { limit, ...limits.state(key, now, limit) }
    if (waitMs === 0) return { ...state, refusal: null }
    const retryAfter = Math.ceil(waitMs / 1000)
    const detail = `${who} asks more than ${limit} times a minute. Try again in ${retryAfter} s.`
    return { ...state, refusal: { code: 'too_many_requests', detail, retryAfter } }
  }
}
