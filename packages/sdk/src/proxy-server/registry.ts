import { Exchange, type ExchangeSummary } from './exchange.ts'

/** What a proxy server has done since it was made. */
export interface ProxyCounters {
  /** Requests, upgrades and tunnels that were begun. */
  exchanges: number
  /** Of these, the ones that failed on our side of the site. */
  failed: number
  /** Answered with 407. */
  unauthorized: number
  /** Turned away for another reason (draining, not a request that can be forwarded) before anything was sent on. */
  refused: number
  /** Bytes of bodies and tunnels, those under way included. */
  bytesUp: number
  /** The same towards clients. */
  bytesDown: number
}

/** The exchanges under way, and the totals of those that are over. */
export class ExchangeRegistry<User> {
  readonly #active = new Set<Exchange<User>>()
  readonly #perShare = new Map<string, number>()
  readonly #totals: ProxyCounters = { exchanges: 0, failed: 0, unauthorized: 0, refused: 0, bytesUp: 0, bytesDown: 0 }
  #emptied: (() => void)[] = []

  get size(): number {
    return this.#active.size
  }

  open(start: Omit<ConstructorParameters<typeof Exchange<User>>[0], 'id'>): Exchange<User> {
    this.#totals.exchanges += 1
    const exchange = new Exchange({ ...start, id: this.#totals.exchanges })
    this.#active.add(exchange)
    const { shareKey } = exchange
    if (shareKey !== null) this.#perShare.set(shareKey, this.countOf(shareKey) + 1)
    return exchange
  }

  /** What is under way under one key. */
  countOf(shareKey: string): number {
    return this.#perShare.get(shareKey) ?? 0
  }

  /** What is known of each exchange under way. */
  summaries(): ExchangeSummary<User>[] {
    return [...this.#active].map((exchange) => exchange.summary())
  }

  /** Ends an exchange and returns what became of it; null when it had ended before. */
  close(exchange: Exchange<User>): ExchangeSummary<User> | null {
    if (!this.#active.delete(exchange)) return null
    const { shareKey } = exchange
    if (shareKey !== null) {
      const left = this.countOf(shareKey) - 1
      if (left === 0) this.#perShare.delete(shareKey)
      else this.#perShare.set(shareKey, left)
    }
    const summary = exchange.summary()
    if (summary.failure) this.#totals.failed += 1
    this.#totals.bytesUp += summary.bytesUp
    this.#totals.bytesDown += summary.bytesDown
    if (this.#active.size === 0) {
      for (const tell of this.#emptied) tell()
      this.#emptied = []
    }
    return summary
  }

  /** Notes a request that was answered before it became an exchange. */
  countTurnedAway(kind: 'unauthorized' | 'refused'): void {
    this.#totals[kind] += 1
  }

  /** Resolves when nothing is under way. */
  async emptied(): Promise<void> {
    if (this.#active.size > 0) await new Promise<void>((resolve) => this.#emptied.push(resolve))
  }

  /** Ends everything under way, or what such users have; returns how many that were. */
  failAll(error: Error, isMeant?: (user: User | null) => boolean): number {
    const all = [...this.#active].filter(({ user }) => isMeant === undefined || isMeant(user))
    for (const exchange of all) exchange.fail(error)
    return all.length
  }

  counters(): ProxyCounters {
    const counters = { ...this.#totals }
    for (const exchange of this.#active) {
      counters.bytesUp += exchange.bytesUp
      counters.bytesDown += exchange.bytesDown
    }
    return counters
  }
}
