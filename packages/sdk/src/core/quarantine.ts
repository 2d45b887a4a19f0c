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

interface SiteRecord {
  until: number
  strikes: number
}

/** What is remembered of one exit IP (or of one generation of a device whose exit IP is unknown). */
export class ExitMemory {
  readonly key: string
  readonly sites = new Map<string, SiteRecord>()

  constructor(key: string) {
    this.key = key
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
const LONGEST_RETRY_AFTER_MS = 86_400_000
/** Bounds of the memory: far above what a fleet meets in a day of quarantines, small enough not to matter (about 10 MB). */
const SITES_PER_EXIT = 1_000
const EXITS = 20_000

/** Share of `quarantineMs` that an unconfirmed ban lasts, by the number of strikes. */
const unconfirmedShare = (strikes: number): number => (strikes === 1 ? 1 / 60 : strikes === 2 ? 1 / 10 : 1)

export class Quarantine {
  readonly #settings: QuarantineSettings
  readonly #exits = new Map<string, ExitMemory>()

  constructor(settings: QuarantineSettings) {
    this.#settings = settings
  }

  /** The memory of one exit. `inUse` are those that devices hold: they stay when old memories are dropped. */
  exit(key: string, now: number, inUse: () => ReadonlySet<ExitMemory>): ExitMemory {
    const known = this.#exits.get(key)
    if (known !== undefined) return known
    if (this.#exits.size >= EXITS) this.#forget(now, inUse())
    const exit = new ExitMemory(key)
    this.#exits.set(key, exit)
    return exit
  }

  /** Notes a ban answer and returns until when the pair is quarantined. */
  ban(exit: ExitMemory, site: string, retryAfterMs: number | undefined, now: number): { until: number; strikes: number } {
    const record = this.#record(exit, site)
    record.strikes++
    const lasts =
      retryAfterMs === undefined
        ? this.#settings.quarantineMs * unconfirmedShare(record.strikes)
        : Math.min(retryAfterMs, LONGEST_RETRY_AFTER_MS)
    record.until = Math.max(record.until, now + lasts)
    return { until: record.until, strikes: record.strikes }
  }

  /** Another exit got an answer where this one was banned: it is the exit, not the page. */
  confirm(exit: ExitMemory, site: string, now: number): number {
    const record = this.#record(exit, site)
    record.until = Math.max(record.until, now + this.#settings.quarantineMs)
    return record.until
  }

  /** The site answered this exit properly. One that was under way when the ban came does not lift it. */
  clear(exit: ExitMemory, site: string, now: number): void {
    const record = exit.sites.get(site)
    if (record !== undefined && record.until <= now) exit.sites.delete(site)
  }

  #record(exit: ExitMemory, site: string): SiteRecord {
    const known = exit.sites.get(site)
    if (known !== undefined) return known
    if (exit.sites.size >= SITES_PER_EXIT) {
      const oldest = exit.sites.keys().next()
      if (!oldest.done) exit.sites.delete(oldest.value)
    }
    const record = { until: 0, strikes: 0 }
    exit.sites.set(site, record)
    return record
  }

  /** Drops what is over; if that is not enough, the oldest quarter of what no device uses. */
  #forget(now: number, inUse: ReadonlySet<ExitMemory>): void {
    const unused = [...this.#exits.values()].filter((exit) => !inUse.has(exit))
    const over = unused.filter((exit) => [...exit.sites.values()].every((record) => record.until <= now))
    const dropped = over.length > 0 ? over : unused.slice(0, EXITS / 4)
    for (const exit of dropped) this.#exits.delete(exit.key)
  }
}
