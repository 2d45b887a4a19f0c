import { type Kysely, sql } from 'kysely'
import { query } from './failures.ts'
import type { Tables } from './tables.ts'

/** Who did something: an API key, a logged-in user, the command line, the hub itself, or nobody known. */
type ActorKind = 'key' | 'user' | 'cli' | 'hub' | 'anonymous'

/** One line of the audit log. Times in ms. */
export interface AuditEntry {
  at: number
  actorKind: ActorKind
  actorId: string | null
  actorName: string | null
  address: string | null
  /** `POST /api/v1/keys`, `login`, `cli create-user`. */
  action: string
  method: string | null
  /** The route's pattern, not the path. */
  route: string | null
  /** What it was done to: an id or a name. */
  subject: string | null
  /** HTTP status of the answer. */
  status: number | null
  /** Names of the fields given, never their values. */
  fields: string[]
  requestId: string | null
}

/** Which entries. Every filter that is given must hold. */
interface AuditFilter {
  /** An actor's id. */
  actor?: string | undefined
  subject?: string | undefined
  /** A part of `action`. */
  action?: string | undefined
  address?: string | undefined
  from?: number | undefined
  to?: number | undefined
  /** Only what was refused or failed (status 400 and above). */
  failed?: boolean | undefined
  /** Older than the entry of this number. */
  before?: number | undefined
  limit: number
}

/** Reads and writes the audit log. Every method throws HubError `database_down`. */
export interface AuditStore {
  /** Writes entries, all in one statement. */
  add(entries: readonly AuditEntry[]): Promise<void>
  /** Newest first. */
  newest(filter: AuditFilter): Promise<(AuditEntry & { id: number })[]>
  /** Deletes what is older, a bounded part of it; true when there may be more. */
  prune(before: number): Promise<boolean>
}

const PRUNE_ROWS = 10_000

export function auditStore(db: Kysely<Tables>): AuditStore {
  return {
    async add(entries) {
      if (entries.length === 0) return
      await query(
        db
          .insertInto('audit_log')
          .values(
            entries.map((entry) => ({
              created_at: new Date(entry.at),
              actor_kind: entry.actorKind,
              actor_id: entry.actorId,
              actor_name: entry.actorName,
              address: entry.address,
              action: entry.action,
              method: entry.method,
              route: entry.route,
              subject: entry.subject,
              status: entry.status,
              fields: entry.fields,
              request_id: entry.requestId,
            })),
          )
          .execute(),
      )
    },

    async newest({ actor, subject, action, address, from, to, failed, before, limit }) {
      let select = db.selectFrom('audit_log').selectAll().orderBy('id', 'desc').limit(limit)
      if (actor !== undefined) select = select.where('actor_id', '=', actor)
      if (subject !== undefined) select = select.where('subject', '=', subject)
      if (action !== undefined) select = select.where(sql<boolean>`strpos(action, ${action}) > 0`)
      if (address !== undefined) select = select.where('address', '=', address)
      if (from !== undefined) select = select.where('created_at', '>=', new Date(from))
      if (to !== undefined) select = select.where('created_at', '<', new Date(to))
      if (failed === true) select = select.where('status', '>=', 400)
      if (before !== undefined) select = select.where('id', '<', before)
      const rows = await query(select.execute())
      return rows.map((row) => ({
        id: row.id,
        at: row.created_at.getTime(),
        actorKind: row.actor_kind as ActorKind,
        actorId: row.actor_id,
        actorName: row.actor_name,
        address: row.address,
        action: row.action,
        method: row.method,
        route: row.route,
        subject: row.subject,
        status: row.status,
        fields: row.fields,
        requestId: row.request_id,
      }))
    },

    async prune(before) {
      const { numAffectedRows = 0n } = await query(
        sql`delete from audit_log where id in (
          select id from audit_log where created_at < ${new Date(before).toISOString()}::timestamptz order by created_at limit ${PRUNE_ROWS}::integer
        )`.execute(db),
      )
      return numAffectedRows >= PRUNE_ROWS
    },
  }
}
