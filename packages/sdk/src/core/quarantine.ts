/**
 * Which exit IP is not to be used for which site, and until when.
 *
 * A ban answer pauses the pair at once. How long depends on the evidence, because one page that refuses everybody must not
 * lock a whole fleet out of its site: when another exit IP then got an answer for the same request, the ban is confirmed and
 * lasts `quarantineMs`; until then it lasts a sixtieth of that, a tenth at the second strike, and all of it from the third on.
 * A proper answer from the site ends the count of strikes. `Retry-After` is taken at its word.
 */
export interface QuarantineSettings {
  readonly quarantineMs: number
}

/** One pair that is not to be used together, as it is told to others and learnt from them. */
export interface QuarantinedPair {
  readonly exitIp: string
  readonly site: string
  /** Milliseconds since 1970. */
  readonly until: number
}

/**
 * What happened to a pair by what this pool itself met. `set`: a ban answer or report. `confirmed`: another exit got an answer where
 * this one was banned. `lifted`: somebody said that the pair is fine; `until` is then now.
 */
export interface QuarantineNews extends QuarantinedPair {
  readonly kind: 'set' | 'confirmed' | 'lifted'
  /** Requests in a row that met the ban. */
  readonly strikes: number
}

interface SiteRecord {
  until: number
  strikes: number
}

/** What is remembered of one exit IP, or of one generation of a device whose exit IP is unknown. */
export class ExitMemory {
  /** Null: unknown, and the same as no other. */
  readonly exitIp: string | null
  readonly sites = new Map<string, SiteRecord>()
  /** Whether nothing is remembered of it: asked once a pick and device, and cheaper to ask than the map. */
  isClean: boolean = true

  constructor(exitIp: string | null) {
    this.exitIp = exitIp
  }

  /** Until when this exit is not used for the site; 0 when it may be used. */
  quarantinedUntil(site: string, now: number): number {
    const record = this.sites.get(site)
    return record !== undefined && record.until > now ? record.until : 0
  }

  /** Requests that met a ban here, sites with a proper answer since then not counted. */
  get strikes(): number {
    let sum = 0
    for (const record of this.sites.values()) sum += record.strikes
    return sum
  }
}

/** A hostile `Retry-After` may not take an exit away for longer than a day. */
const LONGEST_MS = 86_400_000
/** Bounds of the memory: far above what a fleet meets in a day of quarantines, small enough not to matter (some 30 MB when full). */
const SITES_PER_EXIT = 1_000
const EXITS = 20_000
const PAIRS = 200_000
/** What is left after a bound was met, so that the next sweep is far away. */
const KEPT_SHARE = 3 / 4

/** Share of `quarantineMs` that an unconfirmed ban lasts, by the number of strikes. */
const unconfirmedShare = (strikes: number): number => (strikes === 1 ? 1 / 60 : strikes === 2 ? 1 / 10 : 1)

const NONE: ReadonlySet<ExitMemory> = new Set()

/** Which exit IPs are not used for which sites, and until when. */
export class Quarantine {
  readonly #settings: QuarantineSettings
  readonly #inUse: () => ReadonlySet<ExitMemory>
  readonly #exits = new Map<string, ExitMemory>()
  readonly #listeners = new Set<(news: QuarantineNews) => void>()
  /** How often a pair was quarantined, and how often one was forgotten or lifted: who draws conclusions compares. */
  set = 0
  dropped = 0
  /** Records of all exits in `#exits`. Those of unknown exits go with their devices. */
  #pairs = 0

  /** `inUse`: the exits that devices hold now; they are the last to be forgotten. */
  constructor(settings: QuarantineSettings, inUse: () => ReadonlySet<ExitMemory> = () => NONE) {
    this.#settings = settings
    this.#inUse = inUse
  }

  /** Pairs that are remembered, those whose time is over included. */
  get size(): number {
    return this.#pairs
  }

  /** Calls the listener for everything that this pool finds out itself, never for what it learnt. Returns how to end that. */
  subscribe(listener: (news: QuarantineNews) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** The memory of one exit; a new one each time when its IP is unknown. */
  exit(exitIp: string | null, now: number): ExitMemory {
    if (exitIp === null) return new ExitMemory(null)
    const known = this.#exits.get(exitIp)
    if (known !== undefined) return known
    if (this.#exits.size >= EXITS) this.#forgetExits(now)
    const exit = new ExitMemory(exitIp)
    this.#exits.set(exitIp, exit)
    return exit
  }

  /** Notes a ban answer and returns until when the pair is quarantined. `newStrikes`: above 1 where earlier ones were forgotten too soon. */
  ban(exit: ExitMemory, site: string, retryAfterMs: number | undefined, now: number, newStrikes = 1): { until: number; strikes: number } {
    const record = this.#record(exit, site, now)
    record.strikes += newStrikes
    const lasts =
      retryAfterMs === undefined ? this.#settings.quarantineMs * unconfirmedShare(record.strikes) : Math.min(retryAfterMs, LONGEST_MS)
    record.until = Math.max(record.until, now + lasts)
    this.#tell('set', exit, site, record)
    return { until: record.until, strikes: record.strikes }
  }

  /** Another exit got an answer where this one was banned: it is the exit, not the page. */
  confirm(exit: ExitMemory, site: string, now: number): number {
    const record = this.#record(exit, site, now)
    record.until = Math.max(record.until, now + this.#settings.quarantineMs)
    this.#tell('confirmed', exit, site, record)
    return record.until
  }

  /** The site answered this exit properly. One that was under way when the ban came does not lift it. Returns how many strikes it ended. */
  clear(exit: ExitMemory, site: string, now: number): number {
    const record = exit.sites.get(site)
    if (record === undefined || record.until > now) return 0
    this.#drop(exit, site)
    return record.strikes
  }

  /** Somebody who knows says that the exit is not banned there. False when it was not quarantined. */
  lift(exit: ExitMemory, site: string, now: number): boolean {
    const wasOn = exit.quarantinedUntil(site, now) > 0
    this.#drop(exit, site)
    if (wasOn) this.#tell('lifted', exit, site, { until: now, strikes: 0 })
    return wasOn
  }

  /**
   * Takes over what others found out, at most a day of it; nobody is told. It is no strike: whoever found it counts it.
   * False when nothing changed by it.
   */
  learn({ exitIp, site, until }: QuarantinedPair, now: number): boolean {
    const end = Math.min(until, now + LONGEST_MS)
    if (!(end > now)) return false
    const record = this.#record(this.exit(exitIp, now), site, now)
    if (record.until >= end) return false
    record.until = end
    return true
  }

  /** Takes over that others found the pair to be fine; nobody is told. False when it was not quarantined. */
  learnLifted({ exitIp, site }: Omit<QuarantinedPair, 'until'>, now: number): boolean {
    const exit = this.#exits.get(exitIp)
    if (exit === undefined) return false
    const wasOn = exit.quarantinedUntil(site, now) > 0
    this.#drop(exit, site)
    return wasOn
  }

  #tell(kind: QuarantineNews['kind'], exit: ExitMemory, site: string, { until, strikes }: SiteRecord): void {
    if (exit.exitIp === null) return
    for (const listener of this.#listeners) listener({ kind, exitIp: exit.exitIp, site, until, strikes })
  }

  #record(exit: ExitMemory, site: string, now: number): SiteRecord {
    this.set++
    const known = exit.sites.get(site)
    if (known !== undefined) return known
    if (exit.sites.size >= SITES_PER_EXIT) this.#forgetSites(exit, SITES_PER_EXIT * KEPT_SHARE, now)
    if (this.#pairs >= PAIRS) this.#forgetPairs(now)
    const record = { until: 0, strikes: 0 }
    exit.sites.set(site, record)
    exit.isClean = false
    if (this.#isKept(exit)) this.#pairs++
    return record
  }

  #drop(exit: ExitMemory, site: string): void {
    if (!exit.sites.delete(site)) return
    this.dropped++
    exit.isClean = exit.sites.size === 0
    if (this.#isKept(exit)) this.#pairs--
  }

  /** An exit that was forgotten may still be named by an attempt that is under way. */
  #isKept(exit: ExitMemory): boolean {
    return exit.exitIp !== null && this.#exits.get(exit.exitIp) === exit
  }

  /** Drops the sites whose time is over; if that is not enough, the oldest. */
  #forgetSites(exit: ExitMemory, keep: number, now: number): void {
    for (const [site, record] of exit.sites) if (record.until <= now) this.#drop(exit, site)
    for (const site of exit.sites.keys()) {
      if (exit.sites.size <= keep) return
      this.#drop(exit, site)
    }
  }

  /** Drops the exits of which nothing is left; if that is not enough, the oldest of those that no device uses. */
  #forgetExits(now: number): void {
    const inUse = this.#inUse()
    for (const exit of this.#exits.values()) {
      this.#forgetSites(exit, SITES_PER_EXIT, now)
      if (exit.sites.size === 0 && !inUse.has(exit)) this.#forgetExit(exit)
    }
    for (const exit of this.#exits.values()) {
      if (this.#exits.size <= EXITS * KEPT_SHARE) return
      if (!inUse.has(exit)) this.#forgetExit(exit)
    }
  }

  #forgetExit(exit: ExitMemory): void {
    this.#pairs -= exit.sites.size
    if (exit.exitIp !== null) this.#exits.delete(exit.exitIp)
  }

  /** Drops the pairs whose time is over; if that is not enough, all of the oldest exits, those that devices use last. */
  #forgetPairs(now: number): void {
    for (const exit of this.#exits.values()) this.#forgetSites(exit, SITES_PER_EXIT, now)
    const inUse = this.#inUse()
    const unusedFirst = [...this.#exits.values()].sort((one, other) => Number(inUse.has(one)) - Number(inUse.has(other)))
    for (const exit of unusedFirst) {
      if (this.#pairs <= PAIRS * KEPT_SHARE) return
      this.#forgetSites(exit, 0, now)
    }
  }
}
