import type { AlertNotice, AlertRule, AlertSeverity, AlertState, AlertSubjectKind } from '@mobilepool/sdk/contract'
import { type Kysely, type Selectable, sql, type Transaction } from 'kysely'
import { query } from './failures.ts'
import type { Tables } from './tables.ts'

/** One episode of trouble; times in ms. */
export interface AlertRecord {
  id: string
  rule: AlertRule
  subject: { kind: AlertSubjectKind; id: string; name: string }
  severity: AlertSeverity
  title: string
  detail: string
  value: number | null
  /** Devices of a group. */
  members: { id: string; name: string }[]
  startedAt: number
  resolvedAt: number | null
  remindedAt: number | null
  acknowledged: { by: string; at: number; comment: string | null } | null
}

/** What is said to a channel: the alert as it was then. */
export interface AlertMessage {
  notice: AlertNotice
  /** With the words of the notice: a recovery's title tells of the recovery. */
  alert: AlertRecord
}

/** A message and the channels that are to get it. */
export interface Telling {
  message: AlertMessage
  channelIds: readonly string[]
  /** From when on it may be sent. */
  at: number
}

/** Where a page of the list ends. */
export interface AlertCursor {
  startedAt: number
  id: string
}

interface AlertFilter {
  state?: AlertState | undefined
  rule?: AlertRule | undefined
  severity?: AlertSeverity | undefined
  /** A device's UUID, a site, ... */
  subject?: string | undefined
  after?: AlertCursor | undefined
  limit: number
}

/** Reads and writes alerts, each change together with what is to be told of it. Every method throws HubError `database_down`. */
export interface AlertStore {
  /** All that fire. */
  firing(): Promise<AlertRecord[]>
  /** Writes a new one; when another hub was first, nothing is written and its one is returned. */
  open(alert: AlertRecord, telling: Telling): Promise<AlertRecord>
  /** Writes a firing one's changed facts. What waits to be told of it is replaced when something new is. */
  change(alert: AlertRecord, telling: Telling | null): Promise<void>
  /** Notes that it is told again, unless another hub did so meanwhile. */
  remind(alert: AlertRecord, before: number | null, telling: Telling): Promise<boolean>
  /** Ends it. What was not told yet is dropped; channels that were told get the message. False: another hub has ended it. */
  resolve(alert: AlertRecord, message: AlertMessage, now: number): Promise<boolean>
  /** Notes who looks after it; null when there is none of that id. The latest word stands; one that is over stays as it is. */
  acknowledge(id: string, acknowledged: NonNullable<AlertRecord['acknowledged']>): Promise<AlertRecord | null>
  byId(id: string): Promise<AlertRecord | null>
  /** Newest first. */
  list(filter: AlertFilter): Promise<AlertRecord[]>
  /** Deletes what was over before, with its deliveries. */
  prune(before: number): Promise<void>
}

type Row = Selectable<Tables['alerts']>
type Connection = Kysely<Tables> | Transaction<Tables>

const date = (time: number | null): Date | null => (time === null ? null : new Date(time))

const facts = (alert: AlertRecord) => ({
  subject_name: alert.subject.name,
  severity: alert.severity,
  title: alert.title.slice(0, 300),
  detail: alert.detail.slice(0, 2_000),
  value: alert.value,
  members: JSON.stringify(alert.members),
})

const toRecord = (row: Row): AlertRecord => ({
  id: row.id,
  rule: row.rule,
  subject: { kind: row.subject_kind, id: row.subject, name: row.subject_name },
  severity: row.severity,
  title: row.title,
  detail: row.detail,
  value: row.value,
  members: row.members,
  startedAt: row.started_at.getTime(),
  resolvedAt: row.resolved_at?.getTime() ?? null,
  remindedAt: row.reminded_at?.getTime() ?? null,
  acknowledged:
    row.acknowledged_at === null
      ? null
      : { by: row.acknowledged_by ?? '', at: row.acknowledged_at.getTime(), comment: row.acknowledged_comment },
})

async function tell(db: Connection, { message, channelIds, at }: Telling): Promise<void> {
  if (channelIds.length === 0) return
  await db
    .insertInto('alert_deliveries')
    .values(
      channelIds.map((channelId) => ({
        alert_id: message.alert.id,
        channel_id: channelId,
        notice: message.notice,
        message: JSON.stringify(message),
        state: 'waiting' as const,
        created_at: new Date(at),
        next_attempt_at: new Date(at),
        claimed_until: null,
        sent_at: null,
        answer: null,
      })),
    )
    .execute()
}

/** What no hub is sending just now will not be sent any more. */
const dropWaiting = (db: Connection, alertId: string, now: number) =>
  db
    .updateTable('alert_deliveries')
    .set({ state: 'dropped' })
    .where('alert_id', '=', alertId)
    .where('state', '=', 'waiting')
    .where((where) => where.or([where('claimed_until', 'is', null), where('claimed_until', '<=', new Date(now))]))
    .execute()

export function alertStore(db: Kysely<Tables>): AlertStore {
  const byId = async (id: string): Promise<AlertRecord | null> => {
    const row = await query(db.selectFrom('alerts').selectAll().where('id', '=', id).executeTakeFirst())
    return row ? toRecord(row) : null
  }

  return {
    async firing() {
      const rows = await query(db.selectFrom('alerts').selectAll().where('resolved_at', 'is', null).orderBy('started_at').execute())
      return rows.map(toRecord)
    },

    async open(alert, telling) {
      return query(
        db.transaction().execute(async (transaction) => {
          const written = await transaction
            .insertInto('alerts')
            .values({
              id: alert.id,
              rule: alert.rule,
              subject_kind: alert.subject.kind,
              subject: alert.subject.id,
              ...facts(alert),
              started_at: new Date(alert.startedAt),
              resolved_at: date(alert.resolvedAt),
              reminded_at: date(alert.remindedAt),
              acknowledged_at: null,
              acknowledged_by: null,
              acknowledged_comment: null,
            })
            .onConflict((conflict) => conflict.doNothing())
            .returning('id')
            .execute()
          if (written.length > 0) {
            await tell(transaction, telling)
            return alert
          }
          const first = await transaction
            .selectFrom('alerts')
            .selectAll()
            .where('rule', '=', alert.rule)
            .where('subject', '=', alert.subject.id)
            .where('resolved_at', 'is', null)
            .executeTakeFirst()
          return first ? toRecord(first) : alert
        }),
      )
    },

    async change(alert, telling) {
      await query(
        db.transaction().execute(async (transaction) => {
          const written = await transaction
            .updateTable('alerts')
            .set(facts(alert))
            .where('id', '=', alert.id)
            .where('resolved_at', 'is', null)
            .returning('id')
            .execute()
          if (written.length === 0 || telling === null) return
          await dropWaiting(transaction, alert.id, telling.at)
          await tell(transaction, telling)
        }),
      )
    },

    async remind(alert, before, telling) {
      return query(
        db.transaction().execute(async (transaction) => {
          const written = await transaction
            .updateTable('alerts')
            .set({ reminded_at: date(alert.remindedAt) })
            .where('id', '=', alert.id)
            .where('resolved_at', 'is', null)
            .where('acknowledged_at', 'is', null)
            .where('reminded_at', 'is not distinct from', date(before))
            .returning('id')
            .execute()
          if (written.length === 0) return false
          await tell(transaction, telling)
          return true
        }),
      )
    },

    async resolve(alert, message, now) {
      return query(
        db.transaction().execute(async (transaction) => {
          const written = await transaction
            .updateTable('alerts')
            .set({ resolved_at: date(alert.resolvedAt) })
            .where('id', '=', alert.id)
            .where('resolved_at', 'is', null)
            .returning('id')
            .execute()
          if (written.length === 0) return false
          await dropWaiting(transaction, alert.id, now)
          const told = await transaction
            .selectFrom('alert_deliveries')
            .select('channel_id')
            .distinct()
            .where('alert_id', '=', alert.id)
            // What still waits after the drop is being sent at this moment.
            .where('state', 'in', ['sent', 'waiting'])
            .execute()
          await tell(transaction, { message, channelIds: told.map(({ channel_id: id }) => id), at: now })
          return true
        }),
      )
    },

    async acknowledge(id, { by, at, comment }) {
      await query(
        db
          .updateTable('alerts')
          .set({ acknowledged_at: new Date(at), acknowledged_by: by, acknowledged_comment: comment })
          .where('id', '=', id)
          .where('resolved_at', 'is', null)
          .execute(),
      )
      return byId(id)
    },

    byId,

    async list({ state, rule, severity, subject, after, limit }) {
      const rows = await query(
        db
          .selectFrom('alerts')
          .selectAll()
          .$if(state !== undefined, (select) => select.where('resolved_at', state === 'firing' ? 'is' : 'is not', null))
          .$if(rule !== undefined, (select) => select.where('rule', '=', rule as AlertRule))
          .$if(severity !== undefined, (select) => select.where('severity', '=', severity as AlertSeverity))
          .$if(subject !== undefined, (select) => select.where('subject', '=', subject as string))
          .$if(after !== undefined, (select) =>
            select.where(
              sql<boolean>`(started_at, id) < (${new Date(after?.startedAt ?? 0).toISOString()}::timestamptz, ${after?.id}::uuid)`,
            ),
          )
          .orderBy('started_at', 'desc')
          .orderBy('id', 'desc')
          .limit(limit)
          .execute(),
      )
      return rows.map(toRecord)
    },

    async prune(before) {
      await query(db.deleteFrom('alerts').where('resolved_at', '<', new Date(before)).execute())
    },
  }
}
