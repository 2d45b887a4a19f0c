import { type Kysely, sql } from 'kysely'
import { query } from './failures.ts'
import type { Tables } from './tables.ts'

/** One attempt of a request through a device, as a parser reports it; times in ms. */
export interface UsageEntry {
  deviceId: string
  exitIp: string | null
  target: string | null
  method: string
  status: number | null
  outcome: string
  attempt: number
  bytesOut: number
  bytesIn: number
  durationMs: number
  at: number
}

/** A device's hour. Counts are of attempts. */
interface UsageHour {
  deviceId: string
  /** Its beginning. */
  hour: number
  requests: number
  successful: number
  banned: number
  failed: number
  /** Of all of them together. */
  durationMs: number
  bytesOut: number
  bytesIn: number
}

/** Reads and writes what parsers report of their requests. Every method throws HubError `database_down`. */
export interface UsageStore {
  /**
   * Writes a batch, logs and counters, in one statement: all of it or nothing. Null: a batch of this id was written before.
   * Otherwise how many of it name a device that exists; the others are left out.
   */
  write(batch: { id: string; clientIp: string; receivedAt: number; entries: readonly UsageEntry[] }): Promise<number | null>
  /** A device's requests, newest first. */
  newest(filter: { deviceId: string; limit: number }): Promise<UsageEntry[]>
  /** Hours from this time on, oldest first. */
  hours(from: number): Promise<UsageHour[]>
  /** Deletes what is older than these times, a bounded part of it at a time; true when there may be more. */
  prune(before: { logs: number; stats: number; batches: number }): Promise<boolean>
}

/** Rows deleted at a time: some tens of milliseconds of the database's time. */
const PRUNE_ROWS = 10_000

const iso = (time: number): string => new Date(time).toISOString()

export function usageStore(db: Kysely<Tables>): UsageStore {
  const column = <Field extends keyof UsageEntry>(entries: readonly UsageEntry[], field: Field) => entries.map((entry) => entry[field])
  return {
    async write({ id, clientIp, receivedAt, entries }) {
      // Counters are summed before they are written, in the order of their key: two hubs' batches cannot wait for each other.
      const result = await query(
        sql<{ batches: string; stored: string }>`
        with batch as (
          insert into usage_batches (id, received_at) values (${id}::uuid, ${iso(receivedAt)}::timestamptz)
          on conflict do nothing returning id
        ), entry as (
          select given.* from unnest(
            ${column(entries, 'deviceId')}::uuid[], ${column(entries, 'exitIp')}::text[], ${column(entries, 'target')}::text[],
            ${column(entries, 'method')}::text[], ${column(entries, 'status')}::integer[], ${column(entries, 'outcome')}::text[],
            ${column(entries, 'attempt')}::integer[], ${column(entries, 'bytesOut')}::bigint[], ${column(entries, 'bytesIn')}::bigint[],
            ${column(entries, 'durationMs')}::integer[], ${entries.map(({ at }) => iso(at))}::text[]
          ) as given(device_id, exit_ip, target, method, status, outcome, attempt, bytes_out, bytes_in, duration_ms, at)
          join proxy_devices d on d.id = given.device_id
          cross join batch
        ), logged as (
          insert into request_logs (
            device_id, client_ip, target_url, method, status_code, response_time_ms, external_ip, request_size, response_size, outcome,
            attempt, created_at
          )
          select device_id, ${clientIp}::inet, target, method, status, duration_ms, exit_ip::inet, bytes_out, bytes_in, outcome,
            attempt, at::timestamptz
          from entry returning 1
        ), counted as (
          insert into usage_stats as known (
            device_id, hour, requests_count, successful_requests, banned_requests, failed_requests, response_time_ms_sum, request_bytes,
            response_bytes
          )
          select device_id, date_trunc('hour', at::timestamptz, 'UTC') as hour, count(*), count(*) filter (where outcome = 'answered'),
            count(*) filter (where outcome = 'banned'), count(*) filter (where outcome not in ('answered', 'banned')),
            sum(duration_ms), sum(bytes_out), sum(bytes_in)
          from entry group by 1, 2 order by 1, 2
          on conflict (device_id, hour) do update set
            requests_count = known.requests_count + excluded.requests_count,
            successful_requests = known.successful_requests + excluded.successful_requests,
            banned_requests = known.banned_requests + excluded.banned_requests,
            failed_requests = known.failed_requests + excluded.failed_requests,
            response_time_ms_sum = known.response_time_ms_sum + excluded.response_time_ms_sum,
            request_bytes = known.request_bytes + excluded.request_bytes,
            response_bytes = known.response_bytes + excluded.response_bytes
        )
        select (select count(*) from batch) as batches, (select count(*) from logged) as stored`.execute(db),
      )
      const [row] = result.rows
      return row === undefined || Number(row.batches) === 0 ? null : Number(row.stored)
    },

    async newest({ deviceId, limit }) {
      const rows = await query(
        db.selectFrom('request_logs').selectAll().where('device_id', '=', deviceId).orderBy('created_at', 'desc').limit(limit).execute(),
      )
      return rows.map((row) => ({
        deviceId: row.device_id,
        exitIp: row.external_ip,
        target: row.target_url,
        method: row.method,
        status: row.status_code,
        outcome: row.outcome,
        attempt: row.attempt,
        bytesOut: Number(row.request_size),
        bytesIn: Number(row.response_size),
        durationMs: row.response_time_ms,
        at: row.created_at.getTime(),
      }))
    },

    async hours(from) {
      const rows = await query(
        db.selectFrom('usage_stats').selectAll().where('hour', '>=', new Date(from)).orderBy('hour').orderBy('device_id').execute(),
      )
      return rows.map((row) => ({
        deviceId: row.device_id,
        hour: row.hour.getTime(),
        requests: row.requests_count,
        successful: row.successful_requests,
        banned: row.banned_requests,
        failed: row.failed_requests,
        durationMs: Number(row.response_time_ms_sum),
        bytesOut: Number(row.request_bytes),
        bytesIn: Number(row.response_bytes),
      }))
    },

    async prune({ logs, stats, batches }) {
      const counts = [
        sql`delete from request_logs where id in (
          select id from request_logs where created_at < ${iso(logs)}::timestamptz order by created_at limit ${PRUNE_ROWS}::integer)`,
        sql`delete from usage_stats where (device_id, hour) in (
          select device_id, hour from usage_stats where hour < ${iso(stats)}::timestamptz order by hour limit ${PRUNE_ROWS}::integer)`,
        sql`delete from usage_batches where id in (
          select id from usage_batches where received_at < ${iso(batches)}::timestamptz order by received_at limit ${PRUNE_ROWS}::integer)`,
      ]
      let isMore = false
      for (const statement of counts) {
        const { numAffectedRows = 0n } = await query(statement.execute(db))
        isMore ||= numAffectedRows >= PRUNE_ROWS
      }
      return isMore
    },
  }
}
