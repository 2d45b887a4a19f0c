import type { ReportVerdict } from '../bans/report-target.ts'
import type { LeaseOptions } from '../clients/lease-options.ts'
import type { ReportResult } from '../dispatch/ban-reports.ts'
import { MobilePoolError } from '../errors.ts'
import type { CrawlSettings } from './crawl-options.ts'

/** Who lends devices: a `MobilePool`. */
export interface LeasingPool {
  /** Sets a device aside, as `pool.lease` says. */
  lease(options: LeaseOptions): Promise<CrawlLease>
}

/** A lease, as far as these adapters need it. */
export interface CrawlLease {
  /** `http://user:password@host:port` through the leased device. */
  readonly proxyUrl: string
  /** Aborts when the lease is over. */
  readonly signal: AbortSignal
  /** What the crawler found about the device's exit IP. */
  report(verdict: ReportVerdict): ReportResult
  /** Gives the device back. */
  release(): Promise<void>
}

/**
 * Leases that are over and can still be reported about, since the report comes when the page has been parsed; and sessions that are over
 * and may still be asked for, by requests that had begun with them.
 */
const REMEMBERED = 1_000

/**
 * How long a lease that nobody asks for any more is kept, ms: requests that have its proxy URL already may still go by it. Given back at once
 * they would be answered 407, which Crawlee takes for the page. As long as it lets a request handler run (`requestHandlerTimeoutSecs`, 60).
 */
const LINGER_MS = 60_000

/** One lease a session: the same session has the same device for as long as it is used and the lease lasts. */
export class SessionLeases {
  readonly #pool: LeasingPool
  readonly #settings: CrawlSettings
  readonly #onLost: (session: string) => boolean
  /** By session, the least recently used first. */
  readonly #held = new Map<string, Held>()
  /** Those of which no session has the use any more, until they are given back. */
  readonly #lingering = new Set<Held>()
  /** By proxy URL: those that are held, and the last ones that were. */
  readonly #known = new Map<string, CrawlLease>()
  /** Sessions that get no device any more. */
  readonly #ended = new Set<string>()
  #unnamed = 0
  #isClosed: boolean = false

  /** `onLost`: a session's lease is over, and it was not we who gave it back. Returns whether the session is over as well. */
  constructor(pool: LeasingPool, settings: CrawlSettings, onLost: (session: string) => boolean) {
    this.#pool = pool
    this.#settings = settings
    this.#onLost = onLost
  }

  /** Leases that are held, or waited for. */
  get size(): number {
    return this.#held.size
  }

  /**
   * The proxy URL of a session: a device is leased the first time, and again when that lease is over. Null: a session of its own, of which
   * nobody will ask again. `url`: what is to be fetched. Rejects as `pool.lease` does, and the next call tries again; with `MP_LEASE_LOST`
   * when the session is over.
   */
  async proxyUrl(session: string | null, url: string | undefined): Promise<string> {
    const key = session === null ? `unnamed ${++this.#unnamed}` : named(session)
    for (;;) {
      if (this.#isClosed) throw new MobilePoolError('MP_CLOSED', 'the Crawlee proxy is closed')
      if (this.#ended.has(key)) throw new MobilePoolError('MP_LEASE_LOST', `${key} is over: Crawlee is to try with another`)
      const held = this.#held.get(key) ?? this.#hold(key, session, url)
      this.#held.delete(key)
      this.#held.set(key, held)
      held.use()
      const lease = await held.lease
      if (!lease.signal.aborted) return lease.proxyUrl
      this.#letGo(key, held)
    }
  }

  /** What the page was that came by this proxy URL; also when its lease is over by now. Throws as `lease.report` does. */
  report(proxyUrl: string, verdict: ReportVerdict): ReportResult {
    const lease = this.#known.get(proxyUrl)
    if (lease !== undefined) return lease.report(verdict)
    const message = 'report: give the `proxyInfo` with which the page came: no lease of late had this proxy URL'
    throw new MobilePoolError('MP_OPTIONS', message, { phase: 'options' })
  }

  /** The session's lease is given back now. */
  async retire(session: string): Promise<void> {
    const held = this.#take(named(session))
    await held?.end()
  }

  /** The session is over: it gets no other lease, and the one that it has is given back as soon as requests under way are over. */
  end(session: string): void {
    this.#endKey(named(session))
    this.#letGo(named(session))
  }

  /** The session that has this proxy URL is over. */
  endUrl(proxyUrl: string): void {
    const lease = this.#known.get(proxyUrl)
    for (const [key, held] of this.#held) if (held.isLease(lease)) this.#letGo(key, held)
  }

  /** Gives back all leases; no more are taken. */
  async close(): Promise<void> {
    this.#isClosed = true
    const all = [...this.#held.values(), ...this.#lingering]
    this.#held.clear()
    this.#lingering.clear()
    await Promise.all(all.map((held) => held.end()))
  }

  #hold(key: string, session: string | null, url: string | undefined): Held {
    const { lease: options, ttlMs, maxSessions } = this.#settings
    // Sessions of one site are to be on different devices, also when the pool hashes by site.
    const site = options.site ?? url
    // A session is over with its first ban; without this, requests that had begun with it would wait for the end of the quarantine.
    const asked = { hashKey: key, ...(site === undefined ? {} : { site, onBan: 'fail' as const }), ...options }
    const onLost = (): void => {
      if (this.#held.get(key) !== held) return
      this.#letGo(key, held)
      if (session !== null && this.#onLost(session)) this.#endKey(key)
    }
    const held = new Held(this.#pool, asked, onLost, () => this.#letGo(key, held), ttlMs)
    held.lease.then(
      (lease) => this.#remember(lease),
      () => this.#take(key, held)?.end(),
    )
    const [oldest] = this.#held.keys()
    if (this.#held.size >= maxSessions && oldest !== undefined) this.#letGo(oldest)
    return held
  }

  /** Nobody gets it any more; requests that have got it may finish. */
  #letGo(key: string, given?: Held): void {
    const held = this.#take(key, given)
    if (held === undefined) return
    this.#lingering.add(held)
    held.endIn(LINGER_MS, () => this.#lingering.delete(held))
  }

  /** Takes it from its session, unless that has another by now. */
  #take(key: string, given?: Held): Held | undefined {
    const held = this.#held.get(key)
    if (held === undefined || (given !== undefined && given !== held)) return undefined
    this.#held.delete(key)
    return held
  }

  #endKey(key: string): void {
    this.#ended.add(key)
    const [oldest] = this.#ended
    if (this.#ended.size > REMEMBERED && oldest !== undefined) this.#ended.delete(oldest)
  }

  #remember(lease: CrawlLease): void {
    this.#known.set(lease.proxyUrl, lease)
    const [oldest] = this.#known.keys()
    if (this.#known.size > this.#settings.maxSessions + REMEMBERED && oldest !== undefined) this.#known.delete(oldest)
  }
}

/** A lease that is asked for, and then held. */
class Held {
  readonly lease: Promise<CrawlLease>
  readonly #wait = new AbortController()
  #timer: NodeJS.Timeout
  #taken: CrawlLease | null = null

  /** `onOver`: the lease is over, whoever ended it. `onExpiry`: nobody asked for it for `ttlMs`. */
  constructor(pool: LeasingPool, options: LeaseOptions, onOver: () => void, onExpiry: () => void, ttlMs: number) {
    this.#timer = setTimeout(onExpiry, ttlMs).unref()
    this.lease = pool.lease({ ...options, signal: this.#wait.signal }).then((lease) => {
      this.#taken = lease
      if (!lease.signal.aborted) lease.signal.addEventListener('abort', onOver, { once: true })
      return lease
    })
  }

  isLease(lease: CrawlLease | undefined): boolean {
    return lease !== undefined && lease === this.#taken
  }

  /** It was asked for again. */
  use(): void {
    this.#timer.refresh()
  }

  /** Gives it back in so many ms; one that is still waited for, at once. */
  endIn(lingerMs: number, onEnd: () => void): void {
    const end = (): void => {
      onEnd()
      void this.end()
    }
    clearTimeout(this.#timer)
    if (this.#taken === null) end()
    else this.#timer = setTimeout(end, lingerMs).unref()
  }

  /** Gives it back, or no longer waits for it. */
  async end(): Promise<void> {
    clearTimeout(this.#timer)
    this.#wait.abort()
    const lease = await this.lease.catch(() => null)
    await lease?.release()
  }
}

const named = (session: string): string => `session ${session}`
