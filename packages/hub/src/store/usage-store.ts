import { type Kysely, type RawBuilder, sql } from 'kysely'
import { query } from './failures.ts'
import { createLogDay, dayOf, dropLogDays } from './log-days.ts'
import { type NameOfSite, SiteRoom } from './site-room.ts'
import type { Tables } from './tables.ts'
import { sumsBy, type UsageCounts } from './usage-sums.ts'

/** One attempt of a request through a device, as a parser reports it; times in ms. */
export interface UsageEntry {
  deviceId: string
  exitIp: string | null
  target: string | null
  site: string | null
  method: string
  status: number | null
  outcome: string
  error: string | null
  userAgent: string | null
  attempt: number
  /** Sticky key of its session. */
  session: string | null
  bytesOut: number
  bytesIn: number
  durationMs: number
  at: number
}

/** Attempts that arrived together. */
interface UsageBatch {
  id: string
  clientIp: string
  /** The user whose key it was, or the key. */
  reporter: string
  receivedAt: number
  entries: readonly UsageEntry[]
}

/** Writes what parsers report of their requests. Every method throws HubError `database_down`. */
export interface UsageStore {
  /**
   * Writes a batch, log and sums, in one statement: all of it or nothing. Null: a batch of this id was written before.
   * Otherwise how many of it name a device that exists; the others are left out.
   */
  write(batch: UsageBatch): Promise<number | null>
  /** Those of the devices that the database knows: another hub may have added them since this one last looked. */
  known(deviceIds: readonly string[]): Promise<Set<string>>
  /** Makes the tables of the log for today and tomorrow, ahead of their time. */
  prepare(now: number): Promise<void>
  /** Drops days of the log that were over before `logs`, deletes a bounded part of what else is older; true when there may be more. */
  prune(before: { logs: number; stats: number; batches: number }): Promise<boolean>
}

/** Rows deleted at a time: some tens of milliseconds of the database's time. */
const PRUNE_ROWS = 10_000
/** Writers of usage come one after another: their sums meet in the same rows. A number of our own, nothing else uses it. */
const WRITERS_LOCK = 7_305_002
const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000

const iso = (time: number): string => new Date(time).toISOString()
const hourOf = (time: number): number => Math.floor(time / HOUR_MS) * HOUR_MS
const isoHour = (time: number): string => iso(hourOf(time))

export function usageStore(db: Kysely<Tables>): UsageStore {
  const sites = new SiteRoom(db)
  /** Days whose tables are known to be there. */
  let days = new Set<number>()
  const makeDays = async (wanted: Iterable<number>): Promise<void> => {
    for (const day of wanted) {
      if (days.has(day)) continue
      await query(db.transaction().execute((transaction) => createLogDay(transaction, day)))
      days.add(day)
    }
  }

  return {
    async write(batch) {
      const wanted = new Set(batch.entries.map(({ at }) => dayOf(at)))
      await makeDays(wanted)
      const nameOf = await sites.namesFor(batch.entries.map(({ at }) => hourOf(at)))
      const write = async (): Promise<number | null> => {
        const { rows } = await query(writeStatement(batch, nameOf).execute(db))
        const [row] = rows
        return row === undefined || Number(row.batches) === 0 ? null : Number(row.stored)
      }
      try {
        return await write()
      } catch (error) {
        if (!isDayMissing(error)) throw error
        // Another hub dropped it meanwhile.
        days = new Set()
        await makeDays(wanted)
        return await write()
      }
    },

    async known(deviceIds) {
      if (deviceIds.length === 0) return new Set()
      const rows = await query(db.selectFrom('proxy_devices').select('id').where('id', 'in', deviceIds).execute())
      return new Set(rows.map(({ id }) => id))
    },

    prepare: (now) => makeDays([dayOf(now), dayOf(now) + DAY_MS]),

    async prune({ logs, stats, batches }) {
      if ((await query(dropLogDays(db, logs))) > 0) days = new Set()
      const old = (table: string, column: string, before: number) =>
        sql`delete from ${sql.table(table)} where ctid = any(array(
          select ctid from ${sql.table(table)} where ${sql.ref(column)} < ${iso(before)}::timestamptz limit ${PRUNE_ROWS}::integer))`
      let isMore = false
      for (const statement of [
        old('usage_stats', 'hour', stats),
        old('usage_sites', 'hour', stats),
        old('usage_reporters', 'date', stats),
        old('usage_batches', 'received_at', batches),
      ]) {
        const { numAffectedRows = 0n } = await query(statement.execute(db))
        isMore ||= numAffectedRows >= PRUNE_ROWS
      }
      return isMore
    },
  }
}

/** "No partition of relation found for row": 23514, without the name of a constraint in it. */
const isDayMissing = (error: unknown): boolean => /no partition of relation/.test(String((error as Error | null)?.message))

function writeStatement(
  { id, clientIp, reporter, receivedAt, entries }: UsageBatch,
  nameOf: NameOfSite,
): RawBuilder<{ batches: number; stored: number }> {
  const column = <Field extends keyof UsageEntry>(field: Field) => entries.map((entry) => entry[field])
  const byHour = sumsBy(entries, ({ deviceId, at }) => `${deviceId} ${isoHour(at)}`)
  const bySite = [
    ...sumsBy(entries, ({ at }) => ` ${isoHour(at)}`),
    ...sumsBy(entries, ({ site, at }) => (site === null ? null : `${nameOf(site, hourOf(at))} ${isoHour(at)}`)),
  ]
  const byDay = sumsBy(entries, ({ deviceId, at }) => `${deviceId} ${iso(dayOf(at))}`)
  return sql`
    with batch as (
      insert into usage_batches (id, received_at)
      select ${id}::uuid, ${iso(receivedAt)}::timestamptz from pg_advisory_xact_lock(${WRITERS_LOCK}::bigint)
      on conflict do nothing returning id
    ), entry as (
      select given.*, d.name from unnest(
        ${column('deviceId')}::uuid[], ${column('exitIp')}::text[], ${column('target')}::text[], ${column('site')}::text[],
        ${column('method')}::text[], ${column('status')}::integer[], ${column('outcome')}::text[], ${column('error')}::text[],
        ${column('userAgent')}::text[], ${column('attempt')}::integer[], ${column('session')}::text[], ${column('bytesOut')}::bigint[], ${column('bytesIn')}::bigint[],
        ${column('durationMs')}::integer[], ${entries.map(({ at }) => iso(at))}::text[]
      ) as given(device_id, exit_ip, target, site, method, status, outcome, error, user_agent, attempt, session, bytes_out, bytes_in, duration_ms, at)
      join proxy_devices d on d.id = given.device_id
      cross join batch
    ), logged as (
      insert into request_logs (
        device_id, device_name, client_ip, target_url, site, method, status_code, response_time_ms, external_ip, user_agent, request_size,
        response_size, outcome, error_message, attempt, session, reporter, created_at
      )
      select device_id, name, ${clientIp}::inet, target, site, method, status, duration_ms, exit_ip::inet, user_agent, bytes_out, bytes_in,
        outcome, error, attempt, session, ${reporter}::uuid, at::timestamptz
      from entry returning 1
    ), by_hour as (
      ${addSums('usage_stats', ['device_id', 'hour'], byHour, sql`s.key1::uuid, s.key2::timestamptz`, sql`device_id, hour`)}
    ), by_site as (
      ${addSums('usage_sites', ['site', 'hour'], bySite, sql`s.key1, s.key2::timestamptz`, sql`site, hour`)}
    ), by_day as (
      ${addSums(
        'usage_reporters',
        ['device_id', 'date', 'reporter'],
        byDay,
        sql`s.key1::uuid, s.key2::timestamptz, ${reporter}::uuid`,
        sql`device_id, reporter, date`,
      )}
    )
    select (select count(*) from batch) as batches, (select count(*) from logged) as stored`
}

/** Sums as rows: a key of one part or two, and the counters; histograms as text, for arrays of arrays would have to be of one length. */
function sumRows(sums: readonly [string, UsageCounts][]): RawBuilder<unknown> {
  const part = (index: number) => sums.map(([key]) => key.split(' ')[index] ?? null)
  const column = (field: Exclude<keyof UsageCounts, 'latency'>) => sums.map(([, counts]) => counts[field])
  return sql`(select * from unnest(
    ${part(0)}::text[], ${part(1)}::text[], ${column('requests')}::bigint[], ${column('successful')}::bigint[], ${column('banned')}::bigint[],
    ${column('failed')}::bigint[], ${column('durationMs')}::bigint[], ${column('bytesOut')}::bigint[], ${column('bytesIn')}::bigint[],
    ${sums.map(([, { latency }]) => `{${latency.join()}}`)}::text[]
  ) as u(key1, key2, requests, successful, banned, failed, duration_ms, bytes_out, bytes_in, latency))`
}

/** Adds sums to the rows of their keys. */
function addSums(
  table: 'usage_stats' | 'usage_sites' | 'usage_reporters',
  columns: readonly string[],
  sums: readonly [string, UsageCounts][],
  keys: RawBuilder<unknown>,
  conflict: RawBuilder<unknown>,
): RawBuilder<unknown> {
  // A device that is gone has no rows of its own; what went through it still counts for its site.
  const known = table === 'usage_sites' ? sql`` : sql`join proxy_devices d on d.id = s.key1::uuid`
  return sql`insert into ${sql.table(table)} as known (
      ${sql.join(columns.map((name) => sql.ref(name)))}, requests_count, successful_requests, banned_requests, failed_requests,
      response_time_ms_sum, request_bytes, response_bytes, latency)
    select ${keys}, s.requests, s.successful, s.banned, s.failed, s.duration_ms, s.bytes_out, s.bytes_in, s.latency::integer[]
    from ${sumRows(sums)} as s ${known} cross join batch order by 1, 2
    on conflict (${conflict}) do update set
      requests_count = known.requests_count + excluded.requests_count,
      successful_requests = known.successful_requests + excluded.successful_requests,
      banned_requests = known.banned_requests + excluded.banned_requests,
      failed_requests = known.failed_requests + excluded.failed_requests,
      response_time_ms_sum = known.response_time_ms_sum + excluded.response_time_ms_sum,
      request_bytes = known.request_bytes + excluded.request_bytes,
      response_bytes = known.response_bytes + excluded.response_bytes,
      latency = (
        select array_agg(coalesce(a, 0) + coalesce(b, 0) order by position)
        from unnest(known.latency, excluded.latency) with ordinality as both_of(a, b, position))`
}
