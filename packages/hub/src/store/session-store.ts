import type { Kysely } from 'kysely'
import { query } from './failures.ts'
import type { Tables } from './tables.ts'

/** A login: a family of refresh tokens, of which one is good at a time. Times in ms. */
interface SessionRecord {
  id: string
  userId: string
  /** SHA-256 of the refresh token that is good now, hex. */
  tokenHash: string
  address: string | null
  userAgent: string | null
  createdAt: number
  expiresAt: number
}

/**
 * What became of a refresh token: `rotated`; `overlap`: it was rotated a moment ago (two tabs asked at once); `reused`: it had been used
 * before, so somebody else may have it, and the whole session was ended; `gone`: there is no such session (any more).
 */
type Rotated = { outcome: 'rotated' | 'overlap'; userId: string } | { outcome: 'reused' | 'gone'; userId: null }

/** Reads and writes sessions. Every method throws HubError `database_down`. */
export interface SessionStore {
  start(session: SessionRecord): Promise<void>
  /** Trades a token for the next one, once. A token counts as just rotated until `overlapMs` after it was. */
  rotate(of: { id: string; from: string; to: string; at: number; idleMs: number; maxMs: number; overlapMs: number }): Promise<Rotated>
  /** Ends a session whose current or former token this is; its user, or null when there is no such session. */
  end(id: string, because: string, at: number): Promise<string | null>
  /** Sessions that were revoked since then. */
  revokedSince(since: number): Promise<string[]>
  /** Deletes what ended before. */
  prune(before: number): Promise<void>
}

export function sessionStore(db: Kysely<Tables>): SessionStore {
  return {
    async start(session) {
      await query(
        db
          .insertInto('sessions')
          .values({
            id: session.id,
            user_id: session.userId,
            token_hash: session.tokenHash,
            address: session.address,
            user_agent: session.userAgent,
            created_at: new Date(session.createdAt),
            expires_at: new Date(session.expiresAt),
          })
          .execute(),
      )
    },

    rotate: ({ id, from, to, at, idleMs, maxMs, overlapMs }) =>
      query(
        db.transaction().execute(async (transaction): Promise<Rotated> => {
          const row = await transaction.selectFrom('sessions').selectAll().where('id', '=', id).forUpdate().executeTakeFirst()
          if (!row || row.revoked_at !== null || row.expires_at.getTime() <= at) return { outcome: 'gone', userId: null }
          if (row.token_hash === from) {
            await transaction
              .updateTable('sessions')
              .set({
                token_hash: to,
                previous_hash: from,
                rotated_at: new Date(at),
                expires_at: new Date(Math.min(at + idleMs, row.created_at.getTime() + maxMs)),
              })
              .where('id', '=', id)
              .execute()
            return { outcome: 'rotated', userId: row.user_id }
          }
          const isJustRotated = row.previous_hash === from && row.rotated_at !== null && at - row.rotated_at.getTime() < overlapMs
          if (isJustRotated) return { outcome: 'overlap', userId: row.user_id }
          await transaction
            .updateTable('sessions')
            .set({ revoked_at: new Date(at), revoked_because: 'reused' })
            .where('id', '=', id)
            .execute()
          return { outcome: 'reused', userId: null }
        }),
      ),

    async end(id, because, at) {
      const row = await query(
        db
          .updateTable('sessions')
          .set({ revoked_at: new Date(at), revoked_because: because })
          .where('id', '=', id)
          .where('revoked_at', 'is', null)
          .returning('user_id')
          .executeTakeFirst(),
      )
      return row?.user_id ?? null
    },

    async revokedSince(since) {
      const rows = await query(db.selectFrom('sessions').select('id').where('revoked_at', '>=', new Date(since)).execute())
      return rows.map(({ id }) => id)
    },

    async prune(before) {
      await query(db.deleteFrom('sessions').where('expires_at', '<', new Date(before)).execute())
    },
  }
}
