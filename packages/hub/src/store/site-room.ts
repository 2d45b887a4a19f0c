import { type Kysely, sql } from 'kysely'
import { query } from './failures.ts'
import type { Tables } from './tables.ts'

/** Sites that have sums of their own in an hour: at most 1.1 million rows in 90 days, whatever a parser visits. */
export const SITES_AN_HOUR = 500
/** The row of an hour's other sites. No host name has brackets. */
export const OTHER_SITES = '(other)'
/** Half of the room is kept for sites of the hour before, so that a crawl through a million hosts does not hide the ones of every day. */
const NEWCOMERS = SITES_AN_HOUR / 2
/** Hours that are remembered, and that one batch may be of; sites of further ones are counted as others. */
const HOURS = 48
const HOUR_MS = 3_600_000

/** Says under which name a site's attempts of an hour (its beginning, ms) are counted. */
export type NameOfSite = (site: string, hour: number) => string

/**
 * Bounds how many sites an hour tells apart. What is known is the database's at the first look, then this hub's own: several hubs
 * that meet new sites at once have so many times the room at most.
 */
export class SiteRoom {
  readonly #db: Kysely<Tables>
  /** The most recently used last. */
  readonly #sites = new Map<number, Promise<Set<string>>>()

  constructor(db: Kysely<Tables>) {
    this.#db = db
  }

  /** For attempts of these hours. @throws HubError `database_down` */
  async namesFor(hours: Iterable<number>): Promise<NameOfSite> {
    const own = [...new Set(hours)].sort((a, b) => b - a).slice(0, HOURS)
    const wanted = new Set(own.flatMap((hour) => [hour, hour - HOUR_MS]))
    this.#load([...wanted].filter((hour) => !this.#sites.has(hour)))
    const known = new Map<number, Set<string>>()
    for (const hour of wanted) {
      const sites = this.#sites.get(hour)
      if (!sites) continue
      this.#sites.delete(hour)
      this.#sites.set(hour, sites)
      known.set(hour, await sites)
    }
    this.#forget()
    return (site, hour) => nameIn(site, own.includes(hour) ? known.get(hour) : undefined, known.get(hour - HOUR_MS))
  }

  #load(missing: readonly number[]): void {
    if (missing.length === 0) return
    const rows = query(
      sql<{ hour: Date; site: string }>`
        select hour, site from usage_sites where site <> '' and hour = any(${missing.map((hour) => new Date(hour).toISOString())}::timestamptz[])`.execute(
        this.#db,
      ),
    )
    for (const hour of missing) {
      const sites = rows.then((found) => new Set(found.rows.filter((row) => row.hour.getTime() === hour).map(({ site }) => site)))
      sites.catch(() => this.#sites.delete(hour))
      this.#sites.set(hour, sites)
    }
  }

  #forget(): void {
    for (const hour of this.#sites.keys()) {
      if (this.#sites.size <= 2 * HOURS) return
      this.#sites.delete(hour)
    }
  }
}

function nameIn(site: string, sites: Set<string> | undefined, before: ReadonlySet<string> | undefined): string {
  if (!sites) return OTHER_SITES
  if (sites.has(site)) return site
  if (sites.size >= (before?.has(site) ? SITES_AN_HOUR : NEWCOMERS)) return OTHER_SITES
  sites.add(site)
  return site
}
