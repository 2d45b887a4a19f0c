import type { AlertDeliveryState, AlertNotice } from '@mobilepool/sdk/contract'
import { type Kysely, sql } from 'kysely'
import type { AlertMessage } from './alert-store.ts'
import { query } from './failures.ts'
import type { Tables } from './tables.ts'

/** One message that is to be sent to one channel. */
export interface DueDelivery {
  id: string
  message: AlertMessage
  /** Attempts made so far. */
  attempts: number
}

/** One message to one channel, and what became of it; times in ms. */
export interface DeliveryRecord {
  id: string
  channelId: string
  channelName: string
  notice: AlertNotice
  state: AlertDeliveryState
  attempts: number
  held: boolean
  createdAt: number
  nextAttemptAt: number
  sentAt: number | null
  answer: string | null
}

/** How an attempt ended. */
export interface Attempt {
  state: 'sent' | 'failed' | 'waiting'
  /** When to try again, where it waits. */
  nextAttemptAt: number
  answer: string
}

/** The outbox of alerts: it survives a restart, and several hubs may work on it. Every method throws HubError `database_down`. */
export interface DeliveryStore {
  /** Channels that have something due. */
  dueChannels(now: number): Promise<string[]>
  /**
   * Takes what is due for a channel, oldest first, for `leaseMs`: a hub that dies meanwhile leaves it to the others after that.
   * What is no longer true is dropped instead, a recovery nobody was told the trouble of as well.
   */
  claim(channelId: string, now: number, leaseMs: number, limit: number): Promise<DueDelivery[]>
  /** Notes an attempt on what was claimed. */
  settle(ids: readonly string[], attempt: Attempt, now: number): Promise<void>
  /** Puts what was claimed off to the end of quiet hours, uncounted. */
  hold(ids: readonly string[], until: number): Promise<void>
  /** Quiet hours were changed: what they hold is looked at again. */
  release(now: number): Promise<void>
  /** The channel takes nothing any more, as the database has it: what waits for it is dropped. */
  drop(channelId: string): Promise<void>
  /** Notes what was sent while the database was away. */
  record(message: AlertMessage, channelId: string, attempt: Attempt, at: number): Promise<void>
  ofAlert(alertId: string): Promise<DeliveryRecord[]>
}

/** Of one alert, shown; more than a year of daily reminders to one channel. */
const MAX_SHOWN = 500

const iso = (time: number): string => new Date(time).toISOString()

export function deliveryStore(db: Kysely<Tables>): DeliveryStore {
  return {
    async dueChannels(now) {
      const rows = await query(
        db
          .selectFrom('alert_deliveries')
          .select('channel_id')
          .distinct()
          .where('state', '=', 'waiting')
          .where('next_attempt_at', '<=', new Date(now))
          .where((where) => where.or([where('claimed_until', 'is', null), where('claimed_until', '<=', new Date(now))]))
          .execute(),
      )
      return rows.map(({ channel_id: id }) => id)
    },

    async claim(channelId, now, leaseMs, limit) {
      const at = sql`${iso(now)}::timestamptz`
      const waits = sql`d.channel_id = ${channelId}::uuid and d.state = 'waiting' and (d.claimed_until is null or d.claimed_until <= ${at})`
      await query(
        sql`update alert_deliveries d set state = 'dropped' from alerts a
          where ${waits} and d.notice <> 'resolved' and a.id = d.alert_id and a.resolved_at is not null
            and exists (
              select from alert_deliveries o where o.alert_id = d.alert_id and o.channel_id = d.channel_id and o.notice = 'resolved')`.execute(
          db,
        ),
      )
      await query(
        sql`update alert_deliveries d set state = 'dropped'
          where ${waits} and d.notice = 'resolved' and not exists (
            select from alert_deliveries o
            where o.alert_id = d.alert_id and o.channel_id = d.channel_id and o.id <> d.id and o.state in ('sent', 'waiting'))`.execute(db),
      )
      const { rows } = await query(
        sql<{ id: string; message: AlertMessage; attempts: number; created_at: Date }>`
          with due as (
            select d.id from alert_deliveries d
            where ${waits} and d.next_attempt_at <= ${at} and not exists (
              select from alert_deliveries o
              where o.alert_id = d.alert_id and o.channel_id = d.channel_id and o.state = 'waiting' and o.created_at < d.created_at)
            order by d.created_at limit ${limit}::integer for update skip locked
          )
          update alert_deliveries d set claimed_until = ${iso(now + leaseMs)}::timestamptz from due where d.id = due.id
          returning d.id, d.message, d.attempts, d.created_at`.execute(db),
      )
      return rows
        .toSorted((a, b) => a.created_at.getTime() - b.created_at.getTime())
        .map(({ id, message, attempts }) => ({ id, message, attempts }))
    },

    async settle(ids, { state, nextAttemptAt, answer }, now) {
      await query(
        db
          .updateTable('alert_deliveries')
          .set({
            state,
            attempts: sql`attempts + 1`,
            held: false,
            next_attempt_at: new Date(nextAttemptAt),
            claimed_until: null,
            sent_at: state === 'sent' ? new Date(now) : null,
            answer: answer.slice(0, 500),
          })
          .where('id', 'in', [...ids])
          .execute(),
      )
    },

    async hold(ids, until) {
      await query(
        db
          .updateTable('alert_deliveries')
          .set({ held: true, next_attempt_at: new Date(until), claimed_until: null })
          .where('id', 'in', [...ids])
          .execute(),
      )
    },

    async release(now) {
      await query(
        db
          .updateTable('alert_deliveries')
          .set({ held: false, next_attempt_at: new Date(now) })
          .where('state', '=', 'waiting')
          .where('held', '=', true)
          .execute(),
      )
    },

    async drop(channelId) {
      await query(
        db
          .updateTable('alert_deliveries')
          .set({ state: 'dropped', claimed_until: null })
          .where('channel_id', '=', channelId)
          .where('state', '=', 'waiting')
          // Another hub may have switched it on again.
          .where(({ exists, selectFrom }) =>
            exists(
              selectFrom('alert_channels')
                .select('id')
                .where('id', '=', channelId)
                .where((where) => where.or([where('enabled', '=', false), where('disabled_reason', 'is not', null)])),
            ),
          )
          .execute(),
      )
    },

    async record(message, channelId, { state, nextAttemptAt, answer }, at) {
      await query(
        db
          .insertInto('alert_deliveries')
          .values({
            alert_id: message.alert.id,
            channel_id: channelId,
            notice: message.notice,
            message: JSON.stringify(message),
            state,
            attempts: 1,
            created_at: new Date(at),
            next_attempt_at: new Date(nextAttemptAt),
            claimed_until: null,
            sent_at: state === 'sent' ? new Date(at) : null,
            answer: answer.slice(0, 500),
          })
          .execute(),
      )
    },

    async ofAlert(alertId) {
      const rows = await query(
        db
          .selectFrom('alert_deliveries as d')
          .innerJoin('alert_channels as c', 'c.id', 'd.channel_id')
          .select(['d.id', 'd.channel_id', 'c.name', 'd.notice', 'd.state', 'd.attempts', 'd.held', 'd.created_at', 'd.next_attempt_at'])
          .select(['d.sent_at', 'd.answer'])
          .where('d.alert_id', '=', alertId)
          .orderBy('d.created_at')
          .orderBy('c.name')
          .limit(MAX_SHOWN)
          .execute(),
      )
      return rows.map((row) => ({
        id: row.id,
        channelId: row.channel_id,
        channelName: row.name,
        notice: row.notice,
        state: row.state,
        attempts: row.attempts,
        held: row.held,
        createdAt: row.created_at.getTime(),
        nextAttemptAt: row.next_attempt_at.getTime(),
        sentAt: row.sent_at?.getTime() ?? null,
        answer: row.answer,
      }))
    },
  }
}
