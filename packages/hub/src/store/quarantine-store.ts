import { type Kysely, sql } from 'kysely'
import { query } from './failures.ts'
import type { Tables } from './tables.ts'

/** An exit IP that a site has banned; times in ms. */
export interface QuarantineRecord {
  exitIp: string
  site: string
  until: number
  /** What it was recognised by. */
  rule: string | null
}

/** Reads and writes shared quarantines. Every method throws HubError `database_down`. */
export interface QuarantineStore {
  /** Writes a group in one statement; of a pair that is known the later end stays. No pair may be in it twice. */
  put(records: readonly QuarantineRecord[], now: number): Promise<void>
  remove(pairs: readonly Pick<QuarantineRecord, 'exitIp' | 'site'>[]): Promise<void>
  /** Those that last, the longest first. */
  live(now: number, limit: number): Promise<QuarantineRecord[]>
  /** Deletes those that are over. */
  prune(now: number): Promise<void>
}

const iso = (time: number): string => new Date(time).toISOString()

export function quarantineStore(db: Kysely<Tables>): QuarantineStore {
  return {
    async put(records, now) {
      await query(
        sql`
        insert into quarantines as known (exit_ip, site, until_at, rule, updated_at)
        select exit_ip::inet, site, until_at::timestamptz, rule, ${iso(now)}::timestamptz
        from unnest(
          ${records.map(({ exitIp }) => exitIp)}::text[], ${records.map(({ site }) => site)}::text[],
          ${records.map(({ until }) => iso(until))}::text[], ${records.map(({ rule }) => rule)}::text[]
        ) as given(exit_ip, site, until_at, rule)
        order by 1, 2
        on conflict (exit_ip, site) do update set
          until_at = greatest(known.until_at, excluded.until_at), rule = coalesce(excluded.rule, known.rule), updated_at = excluded.updated_at
        `.execute(db),
      )
    },

    async remove(pairs) {
      await query(
        sql`
        delete from quarantines using unnest(${pairs.map(({ exitIp }) => exitIp)}::text[], ${pairs.map(({ site }) => site)}::text[])
          as given(exit_ip, site)
        where quarantines.exit_ip = given.exit_ip::inet and quarantines.site = given.site`.execute(db),
      )
    },

    async live(now, limit) {
      const rows = await query(
        db.selectFrom('quarantines').selectAll().where('until_at', '>', new Date(now)).orderBy('until_at', 'desc').limit(limit).execute(),
      )
      return rows.map((row) => ({ exitIp: row.exit_ip, site: row.site, until: row.until_at.getTime(), rule: row.rule }))
    },

    async prune(now) {
      await query(db.deleteFrom('quarantines').where('until_at', '<=', new Date(now)).execute())
    },
  }
}
