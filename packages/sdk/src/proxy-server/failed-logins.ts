import { addressBlock } from './address-block.ts'

/** Wrong credentials that cost nothing: typing errors, an old password in some worker. */
const FREE_FAILURES = 5
const FIRST_DELAY_MS = 100
const LONGEST_DELAY_MS = 5_000
/** After this long half of an address's failures are forgotten. */
const HALF_LIFE_MS = 60_000
/** Delayed answers of one address at a time; what comes on top is not even checked. */
const MOST_WAITING = 32
/** Addresses remembered; the one whose last failure is oldest is forgotten first. */
const MOST_ADDRESSES = 10_000

interface Record {
  failures: number
  lastAt: number
  waiting: number
}

/**
 * Slows down guessing: each wrong password of an address makes the answers to its next wrong ones come later. Right ones are never
 * delayed, so whoever shares an address with a guesser is served on; the guesser gets at most 32 answers in 5 seconds.
 */
export class FailedLogins {
  readonly #records = new Map<string, Record>()
  readonly #timers = new Map<NodeJS.Timeout, () => void>()
  readonly #now: () => number

  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** Addresses remembered. */
  get size(): number {
    return this.#records.size
  }

  /** Whether so many wrong credentials of the address wait for their answers that no further ones are looked at. */
  isSaturated(address: string): boolean {
    return this.#records.size > 0 && (this.#records.get(addressBlock(address))?.waiting ?? 0) >= MOST_WAITING
  }

  /** Notes a failure; returns how long its answer is to be held back, ms. */
  note(address: string): number {
    const block = addressBlock(address)
    const now = this.#now()
    const record = this.#records.get(block) ?? { failures: 0, lastAt: now, waiting: 0 }
    record.failures = record.failures * 0.5 ** ((now - record.lastAt) / HALF_LIFE_MS) + 1
    record.lastAt = now
    // Put at the end: the order is that of the last failures.
    this.#records.delete(block)
    this.#records.set(block, record)
    if (this.#records.size > MOST_ADDRESSES) {
      const [oldest] = this.#records.keys()
      if (oldest !== undefined) this.#records.delete(oldest)
    }
    const beyond = Math.floor(record.failures) - FREE_FAILURES
    return beyond <= 0 ? 0 : Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (beyond - 1))
  }

  /** Notes a failure and resolves when it may be answered. */
  async punish(address: string): Promise<void> {
    const delayMs = this.note(address)
    const record = this.#records.get(addressBlock(address))
    if (delayMs === 0 || !record) return
    record.waiting += 1
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        this.#timers.delete(timer)
        resolve()
      }, delayMs)
      this.#timers.set(timer, resolve)
    })
    record.waiting -= 1
  }

  /** Lets everybody who waits have his answer now. */
  close(): void {
    for (const [timer, resolve] of this.#timers) {
      clearTimeout(timer)
      resolve()
    }
    this.#timers.clear()
  }
}
