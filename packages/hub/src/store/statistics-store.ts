import { type Kysely, sql } from 'kysely'
import { countsOf, type DeviceSumFilter, readDeviceSums } from './device-sums.ts'
import { type ExitFilter, type ExitStint, type ExitUses, readExits, readStints } from './exit-reader.ts'
import { query } from './failures.ts'
import { type LogFilter, type LoggedRequest, readLog } from './log-reader.ts'
import type { Tables } from './tables.ts'
import type { UsageCounts } from './usage-sums.ts'

/** Sums of one hour. */
export interface UsageHour extends UsageCounts {
  /** Device id, or site. */
  key: string
  /** Its beginning, ms. */
  hour: number
}

/** How rotations ended. */
export interface OutcomeCounts {
  changed: number
  unchanged: number
  failed: number
}

/** Reads statistics. Ranges are of ms, `to` is exclusive. Every method throws HubError `database_down`. */
export interface StatisticsStore {
  /** Hours of these devices, or of these sites ('' is the whole fleet), oldest first. */
  hours(of: { deviceIds: readonly string[] } | { sites: readonly string[] }, from: number, to: number): Promise<UsageHour[]>
  /** Sums of a range by device; those without attempts are left out. */
  deviceSums(filter: DeviceSumFilter): Promise<Map<string, UsageCounts>>
  /** The sites with the most attempts. */
  topSites(from: number, to: number, limit: number): Promise<{ site: string; requests: number; successful: number; banned: number }[]>
  /** Bytes both ways through each of the devices since its time, which is a midnight, UTC. */
  bytesSince(since: ReadonlyMap<string, number>): Promise<Map<string, number>>
  /** Lines of the log, newest first. */
  log(filter: LogFilter): Promise<LoggedRequest[]>
  /** Exits that were had within a time, most stints first, and how many there are. */
  exits(filter: ExitFilter): Promise<ExitUses>
  /** Stretches at addresses that began within a time, newest first. */
  stints(filter: Parameters<typeof readStints>[1]): Promise<ExitStint[]>
  /** Rotations that ended within a time, of one device or of all; those that were called off are left out. */
  rotations(of: { deviceId?: string | undefined; from: number; to: number }): Promise<OutcomeCounts>
}

/** No rotation waits and runs for longer; the index knows when they were asked for, not when they ended. */
const ROTATION_LASTS_MS = 86_400_000

const iso = (time: number): string => new Date(time).toISOString()

export function statisticsStore(db: Kysely<Tables>): StatisticsStore {
  return {
    async hours(of, from, to) {
      const within = { from: new Date(from), to: new Date(to) }
      const rows =
        'sites' in of
          ? await query(
              db
                .selectFrom('usage_sites')
                .selectAll()
                .select('site as key')
                .where('site', 'in', [...of.sites])
                .where('hour', '>=', within.from)
                .where('hour', '<', within.to)
                .orderBy('hour')
                .execute(),
            )
          : await query(
              db
                .selectFrom('usage_stats')
                .selectAll()
                .select('device_id as key')
                .where(sql<boolean>`device_id = any(${[...of.deviceIds]}::uuid[])`)
                .where('hour', '>=', within.from)
                .where('hour', '<', within.to)
                .orderBy('hour')
                .orderBy('device_id')
                .execute(),
            )
      return rows.map((row) => ({ key: row.key, hour: row.hour.getTime(), ...countsOf(row) }))
    },

    deviceSums: (filter) => readDeviceSums(db, filter),

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
          join usage_reporters u on u.device_id = plan.device_id and u.date >= plan.since::timestamptz
          group by u.device_id`.execute(db),
      )
      return new Map(rows.map(({ device_id, bytes }) => [device_id, Number(bytes)]))
    },

    log: (filter) => readLog(db, filter),
    exits: (filter) => readExits(db, filter),
    stints: (filter) => readStints(db, filter),

    async rotations({ deviceId, from, to }) {
      const { rows } = await query(
        sql<{ state: keyof OutcomeCounts; count: number }>`
          select state, count(*) as count from rotations
          where ended_at >= ${iso(from)}::timestamptz and ended_at < ${iso(to)}::timestamptz
            and created_at < ${iso(to)}::timestamptz and created_at >= ${iso(from - ROTATION_LASTS_MS)}::timestamptz
            and (${deviceId === undefined}::boolean or device_id = ${deviceId ?? null}::uuid)
            and state in ('changed', 'unchanged', 'failed') and reason is distinct from 'canceled'
          group by state`.execute(db),
      )
      const counts: OutcomeCounts = { changed: 0, unchanged: 0, failed: 0 }
      for (const { state, count } of rows) counts[state] = Number(count)
      return counts
    },
  }
}
