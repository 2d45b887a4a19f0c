import { STATS_HOURS_MAX_DAYS, STATS_RANGE_MAX_DAYS } from '@mobilepool/sdk/contract'
import { HubError } from '../errors.ts'
import type { Bucket, StatsRange } from '../stats/range.ts'
import { stamp } from './stamp.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const PERIODS = { '1h': HOUR_MS, '24h': DAY_MS, '7d': 7 * DAY_MS, '30d': 30 * DAY_MS, '90d': 90 * DAY_MS } as const
/** Up to here a range is divided into hours unless it is said how. */
const HOURS_UP_TO_MS = 3 * DAY_MS

interface RangeQuery {
  period?: keyof typeof PERIODS | undefined
  from?: string | undefined
  to?: string | undefined
}

/** The range that is asked for, exactly; never beyond now. @throws HubError `bad_request` that names the field */
export function exactRange({ period, from, to }: RangeQuery, now: number): { from: number; to: number } {
  if (period !== undefined && (from !== undefined || to !== undefined)) throw wrong('period', 'goes without from and to')
  if (from === undefined && to !== undefined) throw wrong('from', 'is missing: a range that ends has a beginning')
  if (from === undefined) return { from: now - PERIODS[period ?? '24h'], to: now }
  const range = { from: Date.parse(from), to: to === undefined ? now : Math.min(Date.parse(to), now) }
  if (range.from >= now) throw wrong('from', `must lie in the past; it is ${stamp(now)}`)
  if (range.from >= range.to) throw wrong('to', 'must be later than from')
  if (range.to - range.from > STATS_RANGE_MAX_DAYS * DAY_MS) throw wrong('from', `may lie at most ${STATS_RANGE_MAX_DAYS} days before to`)
  return range
}

/**
 * The range as sums have it: from the beginning of the hour of its beginning to the end of the hour of its end, or now.
 * @throws HubError `bad_request` that names the field
 */
export function summedRange(query: RangeQuery, now: number): { from: number; to: number } {
  const { from, to } = exactRange(query, now)
  return { from: Math.floor(from / HOUR_MS) * HOUR_MS, to: Math.min(Math.ceil(to / HOUR_MS) * HOUR_MS, now) }
}

/** The same, with how it is divided. @throws HubError `bad_request` that names the field */
export function dividedRange(query: RangeQuery & { bucket?: Bucket | undefined; time_zone: string }, now: number): StatsRange {
  const range = summedRange(query, now)
  const length = range.to - range.from
  const { bucket = length <= HOURS_UP_TO_MS + HOUR_MS ? 'hour' : 'day', time_zone: timeZone } = query
  if (bucket === 'hour' && length > STATS_HOURS_MAX_DAYS * DAY_MS + HOUR_MS)
    throw wrong('bucket', `must be day for more than ${STATS_HOURS_MAX_DAYS} days`)
  return { ...range, bucket, timeZone }
}

/** A refusal of one field of a query. */
export const wrong = (field: string, message: string): HubError =>
  new HubError('bad_request', `${field} ${message}`, { errors: [{ field, message }] })
