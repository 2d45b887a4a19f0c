import { type Kysely, type RawBuilder, sql } from 'kysely'
import { query } from './failures.ts'
import { LATENCY_BUCKETS } from './latency.ts'
import { dayOf } from './log-days.ts'
import type { Tables } from './tables.ts'
import type { UsageCounts } from './usage-sums.ts'

const DAY_MS = 86_400_000

/** Which sums. */
export interface DeviceSumFilter {
  /** Beginning of an hour. */
  from: number
  /** Exclusive. */
  to: number
  /** Undefined: all. */
  deviceIds?: readonly string[] | undefined
  /** Whether histograms are wanted, which cost more than all the rest. */
  hasLatency: boolean
}

const iso = (time: number): string => new Date(time).toISOString()
const COUNTERS = [
  'requests_count',
  'successful_requests',
  'banned_requests',
  'failed_requests',
  'response_time_ms_sum',
  'request_bytes',
  'response_bytes',
] as const
const counters = sql.join(COUNTERS.map((column) => sql.ref(column)))

/**
 * What devices' attempts within a time add up to, by device; devices without any are left out. Whole days come from the days' sums, the
 * hours before and after them from the hours', so that a month of 10,000 devices is 30 rows of each and not 720.
 * @throws HubError `database_down`
 */
export async function readDeviceSums(db: Kysely<Tables>, filter: DeviceSumFilter): Promise<Map<string, UsageCounts>> {
  const { from, to, deviceIds, hasLatency } = filter
  const [first, last] = wholeDays(from, to)
  const isMeant = deviceIds === undefined ? sql`true` : sql`device_id = any(${[...deviceIds]}::uuid[])`
  const rowsOf = (table: 'usage_stats' | 'usage_reporters', time: string, begin: number, end: number): RawBuilder<unknown> => sql`
    select device_id, ${counters}, latency from ${sql.table(table)}
    where ${sql.ref(time)} >= ${iso(begin)}::timestamptz and ${sql.ref(time)} < ${iso(end)}::timestamptz and ${isMeant}`
  // A sum for each bucket takes a tenth of the time that taking the arrays apart and putting them together takes.
  const buckets = sql.join(Array.from({ length: LATENCY_BUCKETS }, (_, index) => sql`coalesce(sum(latency[${sql.lit(index + 1)}]), 0)`))
  const latency = hasLatency ? sql`array[${buckets}]::integer[]` : sql`null::integer[]`
  const { rows } = await query(
    sql<SumRow>`
      with part as (
        ${rowsOf('usage_stats', 'hour', from, first)} union all
        ${rowsOf('usage_reporters', 'date', first, last)} union all
        ${rowsOf('usage_stats', 'hour', last, to)}
      )
      select device_id, ${sql.join(COUNTERS.map((column) => sql`sum(${sql.ref(column)})::bigint as ${sql.ref(column)}`))},
        ${latency} as latency
      from part group by device_id`.execute(db),
  )
  return new Map(rows.map((row) => [row.device_id, countsOf(row)]))
}

/** The whole days (UTC) of a range: where the first begins and the last ends. None: both are the range's end. */
function wholeDays(from: number, to: number): [first: number, last: number] {
  const first = dayOf(from + DAY_MS - 1)
  const last = dayOf(to)
  return first < last ? [first, last] : [to, to]
}

/** A row of counters, as drivers give it. */
export interface CounterRow {
  requests_count: number | string
  successful_requests: number | string
  banned_requests: number | string
  failed_requests: number | string
  response_time_ms_sum: number | string
  request_bytes: number | string
  response_bytes: number | string
  latency: number[] | null
}

interface SumRow extends CounterRow {
  device_id: string
}

export const countsOf = (row: CounterRow): UsageCounts => ({
  requests: Number(row.requests_count),
  successful: Number(row.successful_requests),
  banned: Number(row.banned_requests),
  failed: Number(row.failed_requests),
  durationMs: Number(row.response_time_ms_sum),
  bytesOut: Number(row.request_bytes),
  bytesIn: Number(row.response_bytes),
  latency: row.latency ?? [],
})
