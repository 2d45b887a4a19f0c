import { type ExpressionBuilder, type Kysely, sql } from 'kysely'
import { type DeviceSettings, putDevice } from './device-store.ts'
import { isDuplicate, query } from './failures.ts'
import { type KeyRecord, keyRow } from './key-store.ts'
import type { Seal } from './seal.ts'
import type { Tables } from './tables.ts'

/** A token that enrols one device, once; times in ms. */
interface EnrolToken {
  /** SHA-256, hex. */
  hash: string
  /** The only name that may enrol with it; null: any free one. */
  name: string | null
  createdAt: number
  expiresAt: number
}

/** Reads and writes enrolment tokens. Every method throws HubError `database_down`. */
export interface EnrolmentStore {
  addToken(token: EnrolToken): Promise<void>
  /** A token that may still be used at `now`: unused, or used at `usedAt`. */
  usableToken(hash: string, now: number, usedAt: number | null): Promise<EnrolToken | null>
  /**
   * Spends the token, writes the device, revokes the device's former keys and adds the new one: all or nothing.
   * `token_spent`: it was used (at another time than `usedAt`), or expired, meanwhile; `name_taken`: another device has the name.
   */
  enrol(
    token: { hash: string; usedAt: number | null },
    device: DeviceSettings,
    key: KeyRecord,
    now: number,
  ): Promise<'enrolled' | 'token_spent' | 'name_taken'>
}

/** Not used yet, or at that time only. */
const usedBefore = (usedAt: number | null) => (token: ExpressionBuilder<Tables, 'enroll_tokens'>) =>
  token.or([token('used_at', 'is', null), ...(usedAt === null ? [] : [token('used_at', '=', new Date(usedAt))])])

export function enrolmentStore(db: Kysely<Tables>, seal: Seal): EnrolmentStore {
  return {
    async addToken(token) {
      await query(
        db
          .insertInto('enroll_tokens')
          .values({
            token_hash: token.hash,
            name: token.name,
            created_at: new Date(token.createdAt),
            expires_at: new Date(token.expiresAt),
          })
          .execute(),
      )
      // Spent and expired ones have no use any more.
      await query(db.deleteFrom('enroll_tokens').where('expires_at', '<', new Date(token.createdAt)).execute())
    },

    async usableToken(hash, now, usedAt) {
      const row = await query(
        db
          .selectFrom('enroll_tokens')
          .selectAll()
          .where('token_hash', '=', hash)
          .where(usedBefore(usedAt))
          .where('expires_at', '>', new Date(now))
          .executeTakeFirst(),
      )
      return row ? { hash: row.token_hash, name: row.name, createdAt: row.created_at.getTime(), expiresAt: row.expires_at.getTime() } : null
    },

    async enrol(token, device, key, now) {
      try {
        return await query(
          db.transaction().execute(async (transaction) => {
            const spent = await transaction
              .updateTable('enroll_tokens')
              .set({ used_at: new Date(now) })
              .where('token_hash', '=', token.hash)
              .where(usedBefore(token.usedAt))
              .where('expires_at', '>', new Date(now))
              .returning('token_hash')
              .execute()
            if (spent.length === 0) return 'token_spent' as const
            await putDevice(transaction, device, seal)
            await transaction
              .updateTable('api_keys')
              .set({ revoked_at: new Date(now), changed_at: sql`now()` })
              .where('device_id', '=', device.id)
              .where('revoked_at', 'is', null)
              .execute()
            await transaction.insertInto('api_keys').values(keyRow(key)).execute()
            return 'enrolled' as const
          }),
        )
      } catch (error) {
        if (isDuplicate(error)) return 'name_taken'
        throw error
      }
    },
  }
}
