import { type Kysely, sql } from 'kysely'
import { query } from './failures.ts'
import type { Tables } from './tables.ts'
import type { UsageEntry } from './usage-store.ts'
import type { UsageCounts } from './usage-sums.ts'

/** Sums of one hour. */
interface UsageHour extends UsageCounts {
  /** Device id, or site. */
  key: string
  /** Its beginning, ms. */
  hour: number
}

/** A line of the request log. */
interface LoggedRequest extends UsageEntry {
  id: string
  deviceName: string | null
  clientIp: string | null
}

/** A place in the log: lines are ordered by time, then id. */
interface LogPlace {
  at: number
  id: string
}

/** Which lines of the log. Every filter that is given must hold. */
interface LogFilter {
  from: number
  /** Exclusive. */
  to: number
  deviceIds?: readonly string[] | undefined
  site?: string | undefined
  outcome?: string | undefined
  status?: number | undefined
  exitIp?: string | undefined
  /** Older than this line. */
  before?: LogPlace | undefined
  limit: number
}

/** An exit that devices had within a time. */
interface ExitUse {
  /** The address, or the /64 of an IPv6 one. */
  exit: string
  /** Stretches of time at it. */
  stints: number
  devices: number
  firstSeen: number
  lastSeen: number
  requests: number
  timesBlocked: number
}

/** Reads statistics. Every method throws HubError `database_down`. */
export interface StatisticsStore {
  /** Hours of these devices, or of these sites ('' is the whole fleet), oldest first. `to` is exclusive. */
  hours(of: { deviceIds: readonly string[] } | { sites: readonly string[] }, from: number, to: number): Promise<UsageHour[]>
  /** The sites with the most attempts. */
  topSites(from: number, to: number, limit: number): Promise<{ site: string; requests: number; successful: number; banned: number }[]>
  /** Bytes both ways through each device since its time. */
  bytesSince(since: ReadonlyMap<string, number>): Promise<Map<string, number>>
  /** Lines of the log, newest first. */
  log(filter: LogFilter): Promise<LoggedRequest[]>
  /** Exits seen within a time, most stints first, and how many there are; `after` as many. */
  exits(filter: { from: number; to: number; deviceIds?: readonly string[] | undefined; limit: number; offset: number }): Promise<{
    unique: number
    repeated: number
    exits: ExitUse[]
  }>
}

const iso = (time: number): string => new Date(time).toISOString()

export function statisticsStore(db: Kysely<Tables>): StatisticsStore {
  return {
    async hours(of, from, to) {
      const rows =
        'sites' in of
          ? await query(
              db
                .selectFrom('usage_sites')
                .selectAll()
                .select('site as key')
                .where('site', 'in', [...of.sites])
                .where('hour', '>=', new Date(from))
                .where('hour', '<', new Date(to))
                .orderBy('hour')
                .execute(),
            )
          : await query(
              db
                .selectFrom('usage_stats')
                .selectAll()
                .select('device_id as key')
                .where(sql<boolean>`device_id = any(${[...of.deviceIds]}::uuid[])`)
                .where('hour', '>=', new Date(from))
                .where('hour', '<', new Date(to))
                .orderBy('hour')
                .orderBy('device_id')
                .execute(),
            )
      return rows.map((row) => ({
        key: row.key,
        hour: row.hour.getTime(),
        requests: Number(row.requests_count),
        successful: Number(row.successful_requests),
        banned: Number(row.banned_requests),
        failed: Number(row.failed_requests),
        durationMs: Number(row.response_time_ms_sum),
        bytesOut: Number(row.request_bytes),
        bytesIn: Number(row.response_bytes),
        latency: row.latency,
      }))
    },

    async topSites(from, to, limit) {
      const { rows } = await query(
        sql<{ site: string; requests: number; successful: number; banned: number }>`
          select site, sum(requests_count)::bigint as requests, sum(successful_requests)::bigint as successful,
            sum(banned_requests)::bigint as banned
          from usage_sites where hour >= ${iso(from)}::timestamptz and hour < ${iso(to)}::timestamptz and site <> ''
          group by site order by requests desc, site limit ${limit}::integer`.execute(db),
      )
      return rows
    },

    async bytesSince(since) {
      const { rows } = await query(
        sql<{ device_id: string; bytes: number }>`
          select u.device_id, sum(u.request_bytes + u.response_bytes)::bigint as bytes
          from unnest(${[...since.keys()]}::uuid[], ${[...since.values()].map(iso)}::text[]) as plan(device_id, since)
          join usage_stats u on u.device_id = plan.device_id and u.hour >= plan.since::timestamptz
          group by u.device_id`.execute(db),
      )
      return new Map(rows.map(({ device_id, bytes }) => [device_id, Number(bytes)]))
    },

    async log({ from, to, deviceIds, site, outcome, status, exitIp, before, limit }) {
      let select = db
        .selectFrom('request_logs')
        .selectAll()
        .where('created_at', '>=', new Date(from))
        .where('created_at', '<', new Date(to))
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .limit(limit)
      const [only] = deviceIds ?? []
      if (deviceIds?.length === 1 && only !== undefined) select = select.where('device_id', '=', only)
      else if (deviceIds) select = select.where(sql<boolean>`device_id = any(${[...deviceIds]}::uuid[])`)
      if (site !== undefined) select = select.where('site', '=', site)
      if (outcome !== undefined) select = select.where('outcome', '=', outcome)
      if (status !== undefined) select = select.where('status_code', '=', status)
      if (exitIp !== undefined) select = select.where('external_ip', '=', exitIp)
      if (before)
        select = select
          .where('created_at', '<=', new Date(before.at))
          .where(sql<boolean>`(created_at, id) < (${iso(before.at)}::timestamptz, ${before.id}::uuid)`)
      const rows = await query(select.execute())
      return rows.map((row) => ({
        id: row.id,
        deviceId: row.device_id,
        deviceName: row.device_name,
        clientIp: row.client_ip,
        exitIp: row.external_ip,
        target: row.target_url,
        site: row.site,
        method: row.method,
        status: row.status_code,
        outcome: row.outcome,
        error: row.error_message,
        userAgent: row.user_agent,
        attempt: row.attempt,
        bytesOut: Number(row.request_size),
        bytesIn: Number(row.response_size),
        durationMs: row.response_time_ms,
        at: row.created_at.getTime(),
      }))
    },

    async exits({ from, to, deviceIds, limit, offset }) {
      const { rows } = await query(
        sql<{
          exit: string
          stints: number
          devices: number
          first_seen: Date
          last_seen: Date
          requests: number
          blocked: number
          unique_count: number
          repeated: number
        }>`
          with seen as (
            select exit::text as exit, count(*) as stints, count(distinct device_id) as devices, min(first_seen) as first_seen,
              max(last_seen) as last_seen, sum(total_requests)::bigint as requests, sum(times_blocked)::bigint as blocked
            from ip_history
            where last_seen >= ${iso(from)}::timestamptz and first_seen < ${iso(to)}::timestamptz
              and (${deviceIds === undefined}::boolean or device_id = any(${[...(deviceIds ?? [])]}::uuid[]))
            group by exit
          )
          select seen.*, count(*) over () as unique_count, count(*) filter (where stints > 1) over () as repeated
          from seen order by stints desc, exit limit ${limit}::integer offset ${offset}::integer`.execute(db),
      )
      return {
        unique: Number(rows[0]?.unique_count ?? 0),
        repeated: Number(rows[0]?.repeated ?? 0),
        exits: rows.map((row) => ({
          exit: row.exit.replace(/\/32$/, ''),
          stints: Number(row.stints),
          devices: Number(row.devices),
          firstSeen: row.first_seen.getTime(),
          lastSeen: row.last_seen.getTime(),
          requests: Number(row.requests),
          timesBlocked: Number(row.blocked),
        })),
      }
    },
  }
}
