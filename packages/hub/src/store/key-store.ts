import type { KeyScope } from '@mobilepool/sdk/contract'
import type { Kysely } from 'kysely'
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
  createdAt: number
  revokedAt: number | null
}

/** Reads and writes API keys. Every method throws HubError `database_down`. */
export interface KeyStore {
  all(): Promise<KeyRecord[]>
  byHash(hash: string): Promise<KeyRecord | null>
  /** Adds a key; one that is there already stays as it is. */
  add(key: KeyRecord): Promise<void>
  /** The key as revoked, or null when there is none of that id. */
  revoke(id: string, at: number): Promise<KeyRecord | null>
}

/** The row of a key. */
export const keyRow = (key: KeyRecord) => ({
  id: key.id,
  name: key.name,
  scope: key.scope,
  prefix: key.prefix,
  key_hash: key.hash,
  device_id: key.deviceId,
  created_at: new Date(key.createdAt),
  revoked_at: key.revokedAt === null ? null : new Date(key.revokedAt),
})

const toRecord = (row: ReturnType<typeof keyRow>): KeyRecord => ({
  id: row.id,
  name: row.name,
  scope: row.scope,
  prefix: row.prefix,
  hash: row.key_hash,
  deviceId: row.device_id,
  createdAt: row.created_at.getTime(),
  revokedAt: row.revoked_at?.getTime() ?? null,
})

export function keyStore(db: Kysely<Tables>): KeyStore {
  return {
    async all() {
      const rows = await query(db.selectFrom('api_keys').selectAll().orderBy('created_at').execute())
      return rows.map(toRecord)
    },
    async byHash(hash) {
      const row = await query(db.selectFrom('api_keys').selectAll().where('key_hash', '=', hash).executeTakeFirst())
      return row ? toRecord(row) : null
    },
    async add(key) {
      await query(
        db
          .insertInto('api_keys')
          .values(keyRow(key))
          .onConflict((conflict) => conflict.column('key_hash').doNothing())
          .execute(),
      )
    },
    async revoke(id, at) {
      await query(
        db
          .updateTable('api_keys')
          .set({ revoked_at: new Date(at) })
          .where('id', '=', id)
          .where('revoked_at', 'is', null)
          .execute(),
      )
      const row = await query(db.selectFrom('api_keys').selectAll().where('id', '=', id).executeTakeFirst())
      return row ? toRecord(row) : null
    },
  }
}
