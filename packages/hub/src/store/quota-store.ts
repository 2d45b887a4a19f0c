import { type Kysely, sql } from 'kysely'
import { query } from './failures.ts'
import type { Tables } from './tables.ts'

/** Whose requests are counted. */
export type QuotaOwner = 'user' | 'key'

/** How far somebody's quota is used; `since` in ms: the period that `used` counts. */
export interface QuotaCount {
  id: string
  used: number
  since: number
}

/** Counts requests of users and keys. Every method throws HubError `database_down`. */
export interface QuotaStore {
  /**
   * Adds requests, all in one statement, and says what the counts are then, other hubs' requests included. A count that began before
   * `period` begins anew.
   */
  count(of: QuotaOwner, adds: readonly { id: string; requests: number }[], period: number): Promise<QuotaCount[]>
  /** The counts of all that have a limit. */
  limited(of: QuotaOwner): Promise<QuotaCount[]>
}

const tables = { user: 'users', key: 'api_keys' } as const

export function quotaStore(db: Kysely<Tables>): QuotaStore {
  const toCount = (row: { id: string; requests_used: number; requests_since: Date }): QuotaCount => ({
    id: row.id,
    used: row.requests_used,
    since: row.requests_since.getTime(),
  })
  return {
    async count(of, adds, period) {
      if (adds.length === 0) return []
      const since = new Date(period).toISOString()
      const { rows } = await query(
        sql<{ id: string; requests_used: number; requests_since: Date }>`
        with given as (
          select * from unnest(${adds.map(({ id }) => id)}::uuid[], ${adds.map(({ requests }) => requests)}::bigint[]) as a(id, requests)
          order by id
        ), held as (
          select t.id from ${sql.table(tables[of])} t join given on given.id = t.id order by t.id for update of t
        )
        update ${sql.table(tables[of])} as t set
          requests_used = case when t.requests_since < ${since}::timestamptz then 0 else t.requests_used end + given.requests,
          requests_since = greatest(t.requests_since, ${since}::timestamptz)
        from given join held on held.id = given.id where t.id = given.id
        returning t.id, t.requests_used, t.requests_since`.execute(db),
      )
      return rows.map(toCount)
    },

    async limited(of) {
      const rows = await query(
        db.selectFrom(tables[of]).select(['id', 'requests_used', 'requests_since']).where('requests_limit', 'is not', null).execute(),
      )
      return rows.map(toCount)
    },
  }
}
