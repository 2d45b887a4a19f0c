import type { KeyScope } from '@mobilepool/sdk/contract'
import { type Kysely, sql } from 'kysely'
import { query } from './failures.ts'
import type { Tables } from './tables.ts'

/** A key as it is kept: never the key itself. Times in ms. */
export interface KeyRecord {
  id: string
  name: string
  scope: KeyScope
  /** Its first characters, to recognise it by. */
  prefix: string
  /** SHA-256, hex. */
  hash: string
  /** The one device that a key of scope `device` speaks for. */
  deviceId: string | null
  /** Whose it is; null: nobody's in particular. */
  userId: string | null
  createdAt: number
  expiresAt: number | null
  revokedAt: number | null
  lastUsedAt: number | null
  /** Requests to the API a minute; null: the hub's setting. */
  rateLimit: number | null
  /** Requests through the pool of one quota period; null: any number. */
  requestsLimit: number | null
  requestsUsed: number
  requestsSince: number
}

/** What may be changed of a key. */
export type KeyChange = Partial<Pick<KeyRecord, 'name' | 'expiresAt' | 'rateLimit' | 'requestsLimit' | 'requestsUsed' | 'requestsSince'>>

/** When and from where a key was last used. */
export interface KeyUse {
  id: string
  at: number
  address: string
}

/** Reads and writes API keys. Every method throws HubError `database_down`. */
export interface KeyStore {
  all(): Promise<KeyRecord[]>
  byHash(hash: string): Promise<KeyRecord | null>
  /** Adds a key; one that is there already stays as it is. */
  add(key: KeyRecord): Promise<void>
  /** The key as changed, or null when there is none of that id. */
  change(id: string, change: KeyChange): Promise<KeyRecord | null>
  /** The key as revoked, or null when there is none of that id. */
  revoke(id: string, at: number): Promise<KeyRecord | null>
  /** Notes uses, all in one statement; those of keys that are gone are left out. */
  used(uses: readonly KeyUse[]): Promise<void>
}

/** The row of a new key. */
export const keyRow = (key: KeyRecord) => ({
  id: key.id,
  name: key.name,
  scope: key.scope,
  prefix: key.prefix,
  key_hash: key.hash,
  device_id: key.deviceId,
  user_id: key.userId,
  created_at: new Date(key.createdAt),
  expires_at: key.expiresAt === null ? null : new Date(key.expiresAt),
  revoked_at: key.revokedAt === null ? null : new Date(key.revokedAt),
  last_used_at: key.lastUsedAt === null ? null : new Date(key.lastUsedAt),
  rate_limit: key.rateLimit,
  requests_limit: key.requestsLimit,
  requests_used: key.requestsUsed,
  requests_since: new Date(key.requestsSince),
})

const toRecord = (row: ReturnType<typeof keyRow>): KeyRecord => ({
  id: row.id,
  name: row.name,
  scope: row.scope,
  prefix: row.prefix,
  hash: row.key_hash,
  deviceId: row.device_id,
  userId: row.user_id,
  createdAt: row.created_at.getTime(),
  expiresAt: row.expires_at?.getTime() ?? null,
  revokedAt: row.revoked_at?.getTime() ?? null,
  lastUsedAt: row.last_used_at?.getTime() ?? null,
  rateLimit: row.rate_limit,
  requestsLimit: row.requests_limit,
  requestsUsed: row.requests_used,
  requestsSince: row.requests_since.getTime(),
})

export function keyStore(db: Kysely<Tables>): KeyStore {
  const find = async (column: 'id' | 'key_hash', value: string): Promise<KeyRecord | null> => {
    const row = await query(db.selectFrom('api_keys').selectAll().where(column, '=', value).executeTakeFirst())
    return row ? toRecord(row) : null
  }
  return {
    async all() {
      const rows = await query(db.selectFrom('api_keys').selectAll().orderBy('created_at').execute())
      return rows.map(toRecord)
    },
    byHash: (hash) => find('key_hash', hash),
    async add(key) {
      await query(
        db
          .insertInto('api_keys')
          .values(keyRow(key))
          .onConflict((conflict) => conflict.column('key_hash').doNothing())
          .execute(),
      )
    },
    async change(id, change) {
      const columns = {
        name: change.name,
        expires_at: change.expiresAt === undefined ? undefined : change.expiresAt === null ? null : new Date(change.expiresAt),
        rate_limit: change.rateLimit,
        requests_limit: change.requestsLimit,
        requests_used: change.requestsUsed,
        requests_since: change.requestsSince === undefined ? undefined : new Date(change.requestsSince),
      }
      const given = Object.fromEntries(Object.entries(columns).filter(([, value]) => value !== undefined))
      await query(
        db
          .updateTable('api_keys')
          .set({ ...given, changed_at: sql`now()` })
          .where('id', '=', id)
          .execute(),
      )
      return find('id', id)
    },
    async revoke(id, at) {
      await query(
        db
          .updateTable('api_keys')
          .set({ revoked_at: new Date(at), changed_at: sql`now()` })
          .where('id', '=', id)
          .where('revoked_at', 'is', null)
          .execute(),
      )
      return find('id', id)
    },
    async used(uses) {
      if (uses.length === 0) return
      // Ordered, so that two hubs that write the same keys wait in the same order; never back in time.
      await query(
        sql`update api_keys as k set last_used_at = u.at, last_used_from = u.address
          from (select id, at, address from unnest(
            ${uses.map(({ id }) => id)}::uuid[], ${uses.map(({ at }) => new Date(at).toISOString())}::timestamptz[],
            ${uses.map(({ address }) => address)}::inet[]) as given(id, at, address) order by id) as u
          where k.id = u.id and (k.last_used_at is null or k.last_used_at < u.at)`.execute(db),
      )
    },
  }
}
