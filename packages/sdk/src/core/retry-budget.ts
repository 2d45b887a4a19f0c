/**
 * Keeps retries a share of the traffic, so that a target that is down is not hit `attempts` times as often as before.
 * Every request brings `share` of a retry; a reserve lets a quiet pool retry too.
 */
export class RetryBudget {
  readonly #share: number
  #saved: number

  /** A share of 0 allows none, not even the reserve. */
  constructor(share: number) {
    this.#share = share
    this.#saved = share === 0 ? 0 : RESERVE
  }

  deposit(): void {
    this.#saved = Math.min(LARGEST, this.#saved + this.#share)
  }

  /** Takes one retry out; false when there is none. */
  withdraw(): boolean {
    if (this.#saved < 1) return false
    this.#saved--
    return true
  }
}

/** Retries that a pool may do before it has any traffic to measure them by. */
const RESERVE = 10
/** What can be saved up: after a long quiet run an outage may cost this many retries at once. */
const LARGEST = 100
