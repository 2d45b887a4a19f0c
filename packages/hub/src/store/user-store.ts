import type { UserRole } from '@mobilepool/sdk/contract'
import { type Kysely, sql } from 'kysely'
import { isDuplicate, query } from './failures.ts'
import type { Tables } from './tables.ts'

/** A user as kept. Times in ms. */
export interface UserRecord {
  id: string
  username: string
  email: string | null
  /** bcrypt. */
  passwordHash: string
  role: UserRole
  isActive: boolean
  /** Requests of one quota period; null: any number. */
  requestsLimit: number | null
  requestsUsed: number
  /** `requestsUsed` counts from the period of this time on. */
  requestsSince: number
  /** Access tokens of an older version are worthless. */
  tokenVersion: number
  lastLoginAt: number | null
  createdAt: number
  updatedAt: number
}

/** What may be changed of a user. */
export type UserChange = Partial<
  Pick<UserRecord, 'username' | 'email' | 'passwordHash' | 'role' | 'isActive' | 'requestsLimit' | 'requestsUsed' | 'requestsSince'>
>

/** Reads and writes users. Every method throws HubError `database_down`. */
export interface UserStore {
  all(): Promise<UserRecord[]>
  /** False when the name or the e-mail address is another's. */
  add(user: UserRecord): Promise<boolean>
  /**
   * Changes a user; with `endSessions` every session and access token of his ends with it.
   * `last_admin`: nobody could administer the hub afterwards; `taken`: another has the name or e-mail address; null: there is no such user.
   */
  change(id: string, change: UserChange, of: { at: number; endSessions: boolean }): Promise<UserRecord | 'last_admin' | 'taken' | null>
  /** Removes a user with his keys and sessions. */
  remove(id: string): Promise<'removed' | 'last_admin' | null>
  loggedIn(id: string, at: number): Promise<void>
}

const toRecord = (row: {
  id: string
  username: string
  email: string | null
  password_hash: string
  role: UserRole
  is_active: boolean
  requests_limit: number | null
  requests_used: number
  requests_since: Date
  token_version: number
  last_login_at: Date | null
  created_at: Date
  updated_at: Date
}): UserRecord => ({
  id: row.id,
  username: row.username,
  email: row.email,
  passwordHash: row.password_hash,
  role: row.role,
  isActive: row.is_active,
  requestsLimit: row.requests_limit,
  requestsUsed: row.requests_used,
  requestsSince: row.requests_since.getTime(),
  tokenVersion: row.token_version,
  lastLoginAt: row.last_login_at?.getTime() ?? null,
  createdAt: row.created_at.getTime(),
  updatedAt: row.updated_at.getTime(),
})

export function userStore(db: Kysely<Tables>): UserStore {
  return {
    async all() {
      return (await query(db.selectFrom('users').selectAll().orderBy('created_at').execute())).map(toRecord)
    },

    async add(user) {
      try {
        await query(
          db
            .insertInto('users')
            .values({
              id: user.id,
              username: user.username,
              email: user.email,
              password_hash: user.passwordHash,
              role: user.role,
              is_active: user.isActive,
              requests_limit: user.requestsLimit,
              requests_used: user.requestsUsed,
              requests_since: new Date(user.requestsSince),
              token_version: user.tokenVersion,
              last_login_at: null,
              created_at: new Date(user.createdAt),
              updated_at: new Date(user.updatedAt),
            })
            .execute(),
        )
        return true
      } catch (error) {
        if (isDuplicate(error)) return false
        throw error
      }
    },

    async change(id, change, { at, endSessions }) {
      const work = db.transaction().execute(async (transaction) => {
        const losesAdmin = change.isActive === false || (change.role !== undefined && change.role !== 'admin')
        if (losesAdmin && (await isLastAdmin(transaction, id))) return 'last_admin' as const
        const columns = {
          username: change.username,
          email: change.email,
          password_hash: change.passwordHash,
          role: change.role,
          is_active: change.isActive,
          requests_limit: change.requestsLimit,
          requests_used: change.requestsUsed,
          requests_since: change.requestsSince === undefined ? undefined : new Date(change.requestsSince),
        }
        const given = Object.fromEntries(Object.entries(columns).filter(([, value]) => value !== undefined))
        const row = await transaction
          .updateTable('users')
          .set({ ...given, updated_at: new Date(at), changed_at: sql`now()` })
          .$if(endSessions, (update) => update.set((user) => ({ token_version: user('token_version', '+', 1) })))
          .where('id', '=', id)
          .returningAll()
          .executeTakeFirst()
        if (row && endSessions)
          await transaction
            .updateTable('sessions')
            .set({ revoked_at: new Date(at), revoked_because: 'account_changed' })
            .where('user_id', '=', id)
            .where('revoked_at', 'is', null)
            .execute()
        return row ? toRecord(row) : null
      })
      try {
        return await query(work)
      } catch (error) {
        if (isDuplicate(error)) return 'taken'
        throw error
      }
    },

    remove: (id) =>
      query(
        db.transaction().execute(async (transaction) => {
          if (await isLastAdmin(transaction, id)) return 'last_admin' as const
          const removed = await transaction.deleteFrom('users').where('id', '=', id).returning('id').execute()
          return removed.length > 0 ? ('removed' as const) : null
        }),
      ),

    async loggedIn(id, at) {
      await query(
        db
          .updateTable('users')
          .set({ last_login_at: new Date(at) })
          .where('id', '=', id)
          .execute(),
      )
    },
  }
}

/** Whether this user is the only active admin. Holds the admins' rows until the transaction ends: two who remove each other take turns. */
async function isLastAdmin(transaction: Kysely<Tables>, id: string): Promise<boolean> {
  const admins = await transaction
    .selectFrom('users')
    .select('id')
    .where('role', '=', 'admin')
    .where('is_active', '=', true)
    .orderBy('id')
    .forUpdate()
    .execute()
  return admins.length === 1 && admins[0]?.id === id
}
