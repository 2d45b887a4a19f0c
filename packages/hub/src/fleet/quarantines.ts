import { BAN_LONGEST_MS } from '@mobilepool/sdk/contract'
import type { Refusal } from '../errors.ts'
import type { QuarantineRecord, Store } from '../store/index.ts'
import type { FleetEvents } from './events.ts'

/** Pairs that are kept at once: some 10 MB, and far more than a fleet can be banned from in a day. */
const MAX_PAIRS = 50_000

/** What a pool reports of a pair; `lastsMs` 0: it is over. */
export interface ReportedBan {
  exitIp: string
  site: string
  lastsMs: number
  rule: string | null
}

export interface QuarantineParts {
  store: Pick<Store, 'quarantines'>
  events: FleetEvents
  now: () => number
}

/** Which exit IP is banned at which site, as parsers report it to each other: in memory and in the database. */
export class Quarantines {
  readonly #parts: QuarantineParts
  readonly #live = new Map<string, QuarantineRecord>()

  private constructor(parts: QuarantineParts) {
    this.#parts = parts
  }

  /** Those that last, as the store has them. @throws HubError `database_down` */
  static async load(parts: QuarantineParts): Promise<Quarantines> {
    const quarantines = new Quarantines(parts)
    for (const record of await parts.store.quarantines.live(parts.now(), MAX_PAIRS)) quarantines.#live.set(keyOf(record), record)
    return quarantines
  }

  /** Those that last, the longest first. */
  get live(): QuarantineRecord[] {
    const now = this.#parts.now()
    return [...this.#live.values()].filter(({ until }) => until > now).toSorted((a, b) => b.until - a.until)
  }

  /** Whether an exit IP is quarantined for a site. */
  has(exitIp: string, site: string): boolean {
    const known = this.#live.get(keyOf({ exitIp, site }))
    return known !== undefined && known.until > this.#parts.now()
  }

  /**
   * Takes what a pool reports, and tells all listeners. Of a pair that is known the later end stays. Written before it counts.
   * @throws HubError `database_down`
   */
  async report(reporter: string, bans: readonly ReportedBan[]): Promise<{ accepted: number } | Refusal> {
    const { store, events, now } = this.#parts
    const at = now()
    // The last word on a pair counts.
    const latest = new Map(bans.map((ban) => [keyOf(ban), ban]))
    const lifted = [...latest.values()].filter(({ lastsMs }) => lastsMs === 0)
    const set = [...latest.values()].filter(({ lastsMs }) => lastsMs > 0).map((ban) => toRecord(ban, at))
    if (this.#live.size + set.length > MAX_PAIRS) this.tick()
    if (this.#live.size + set.length > MAX_PAIRS) {
      const detail = `${MAX_PAIRS} pairs of exit IP and site are quarantined, and no more are taken. Try again when some have ended.`
      return { code: 'too_many_requests', detail, retryAfter: 60 }
    }
    if (set.length > 0) await store.quarantines.put(set, at)
    if (lifted.length > 0) await store.quarantines.remove(lifted)
    const begun = set.filter(({ exitIp, site }) => !this.has(exitIp, site))
    const told: QuarantineRecord[] = []
    for (const record of set) told.push(this.#put(record))
    for (const { exitIp, site, rule } of lifted) {
      this.#live.delete(keyOf({ exitIp, site }))
      told.push({ exitIp, site, rule, until: at })
    }
    events.announce({ type: 'quarantine', reporter, records: told, begun })
    return { accepted: told.length }
  }

  /** Forgets those that are over. */
  tick(): void {
    const now = this.#parts.now()
    for (const [key, { until }] of this.#live) if (until <= now) this.#live.delete(key)
  }

  #put(record: QuarantineRecord): QuarantineRecord {
    const key = keyOf(record)
    const known = this.#live.get(key)
    const kept = { ...record, until: Math.max(record.until, known?.until ?? 0), rule: record.rule ?? known?.rule ?? null }
    this.#live.set(key, kept)
    return kept
  }
}

const keyOf = ({ exitIp, site }: Pick<QuarantineRecord, 'exitIp' | 'site'>): string => `${exitIp} ${site}`

const toRecord = ({ exitIp, site, lastsMs, rule }: ReportedBan, now: number): QuarantineRecord => ({
  exitIp,
  site,
  rule,
  until: now + Math.min(lastsMs, BAN_LONGEST_MS),
})
