import { limitKey } from '../fleet/address.ts'

/** How failures are answered: the first `free` of them at once, then a wait that doubles. */
interface Patience {
  free: number
  firstMs: number
  mostMs: number
}

/** One address that guesses one account's password. */
const PAIR: Patience = { free: 5, firstMs: 30_000, mostMs: 900_000 }
/** One address that tries many accounts. */
const ADDRESS: Patience = { free: 30, firstMs: 30_000, mostMs: 900_000 }
/**
 * One account that many addresses guess at. The wait is short: it slows them all down, but whoever knows the password gets in within a
 * minute, and from an address that has logged in before at once. Nobody can lock somebody else out.
 */
const ACCOUNT: Patience = { free: 50, firstMs: 5_000, mostMs: 60_000 }
/** Failures are forgotten after an hour without one. */
const FORGET_MS = 3_600_000
/** Of each kind; when there are more, the one that failed longest ago is forgotten. */
const MAX_ENTRIES = 10_000

/** Slows down whoever guesses passwords. Pure but for its counts: the time comes in. */
export class LoginGuard {
  readonly #pairs = new Failures(PAIR)
  readonly #addresses = new Failures(ADDRESS)
  readonly #accounts = new Failures(ACCOUNT)
  /** Addresses that have logged in to an account. */
  readonly #trusted = new Set<string>()

  /**
   * An attempt begins: 0, and it counts as failed until `succeeded`; or the ms that it is too early by, and it is not counted.
   * Counted before the password is compared: many at once are no way around.
   */
  attempt(account: string, address: string, now: number): number {
    const [who, from] = [account.toLowerCase(), limitKey(address)]
    const pair = pairOf(who, from)
    const waitMs = Math.max(
      this.#pairs.waitFor(pair, now),
      this.#addresses.waitFor(from, now),
      this.#trusted.has(pair) ? 0 : this.#accounts.waitFor(who, now),
    )
    if (waitMs > 0) return waitMs
    this.#pairs.add(pair, now)
    this.#addresses.add(from, now)
    this.#accounts.add(who, now)
    return 0
  }

  /** The attempt was right. The account's other failures stay: they are others'. */
  succeeded(account: string, address: string): void {
    const [who, from] = [account.toLowerCase(), limitKey(address)]
    const pair = pairOf(who, from)
    this.#pairs.clear(pair)
    // One right password must not wipe out what an address did to other accounts.
    this.#addresses.takeBack(from)
    this.#accounts.takeBack(who)
    this.#trusted.delete(pair)
    this.#trusted.add(pair)
    if (this.#trusted.size > MAX_ENTRIES) this.#trusted.delete(this.#trusted.values().next().value ?? pair)
  }
}

const pairOf = (account: string, address: string): string => `${address} ${account}`

class Failures {
  readonly #patience: Patience
  readonly #counts = new Map<string, { count: number; at: number }>()

  constructor(patience: Patience) {
    this.#patience = patience
  }

  waitFor(key: string, now: number): number {
    const { free, firstMs, mostMs } = this.#patience
    const entry = this.#live(key, now)
    if (!entry || entry.count < free) return 0
    const waitMs = Math.min(mostMs, firstMs * 2 ** Math.min(30, entry.count - free))
    return Math.max(0, entry.at + waitMs - now)
  }

  add(key: string, now: number): void {
    const count = (this.#live(key, now)?.count ?? 0) + 1
    this.#counts.delete(key)
    this.#counts.set(key, { count, at: now })
    if (this.#counts.size > MAX_ENTRIES) this.#counts.delete(this.#counts.keys().next().value ?? key)
  }

  takeBack(key: string): void {
    const entry = this.#counts.get(key)
    if (entry) entry.count -= 1
  }

  clear(key: string): void {
    this.#counts.delete(key)
  }

  #live(key: string, now: number): { count: number; at: number } | null {
    const entry = this.#counts.get(key)
    return entry && now - entry.at < FORGET_MS ? entry : null
  }
}
