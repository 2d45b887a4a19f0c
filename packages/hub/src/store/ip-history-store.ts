import { type Kysely, sql } from 'kysely'
import { query } from './failures.ts'
import type { Tables } from './tables.ts'

/** A stretch of time of a device at one address; times in ms. */
export interface IpRecord {
  id: string
  ip: string
  firstSeen: number
  /** Of the stretch that lasts: as it was last written. */
  lastSeen: number
  operator: string | null
  requests: number
  timesBlocked: number
  blockedAt: number | null
  /** Site and rule of the last quarantine. */
  blockedReason: string | null
  /** Sites for which it is quarantined now, some of them. */
  blockedFor: string[]
  /** How often the device had the address before, and until when; null: never. */
  before: Recall | null
}

/** Earlier stretches of a device at an address. */
export interface Recall {
  times: number
  lastSeen: number
}

/** What pools reported since the last write. */
export interface UseCounts {
  devices: readonly { deviceId: string; requests: number; successful: number; failed: number; durationMs: number }[]
  exits: readonly { deviceId: string; ip: string; requests: number }[]
  blocks: readonly { ip: string; times: number; at: number; reason: string }[]
}

/** Reads and writes what is known of devices' addresses. Every method throws HubError `database_down`. */
export interface IpHistoryStore {
  /** A device's stretches, newest first, from behind `after` on. */
  list(of: { deviceId: string; limit: number; after: { firstSeen: number; id: string } | null; now: number }): Promise<IpRecord[]>
  /** For each of these addresses of devices, by its `key`, what came before `since`; those that are new are left out. */
  recall(of: readonly { key: string; deviceId: string; ip: string; since: number }[]): Promise<Map<string, Recall>>
  /** Adds to devices' totals and to their newest stretches at these addresses, in one transaction; devices that are gone are left out. */
  count(counts: UseCounts): Promise<void>
  /** Deletes stretches that ended before this time, some thousands at once; the newest of each device and family stays. Returns whether there may be more. */
  prune(before: number): Promise<boolean>
}

const iso = (time: number): string => new Date(time).toISOString()
/** What tells exits apart, as the column `exit` has it. */
const exitOf = (ip: ReturnType<typeof sql.ref>) => sql`network(set_masklen(${ip}, case family(${ip}) when 4 then 32 else 64 end))`
/** Deleted at once: a lock that nobody notices. */
const PRUNE_ROWS = 5_000
/** Sites that one row lists. */
const MAX_SITES = 20

export function ipHistoryStore(db: Kysely<Tables>): IpHistoryStore {
  return {
    async list({ deviceId, limit, after, now }) {
      const { rows } = await query(
        sql<ListRow>`
        select h.id, h.ip_address, h.first_seen, h.last_seen, h.operator, h.total_requests, h.times_blocked, h.blocked_at, h.blocked_reason,
          past.times, past.last_seen as seen_before,
          array(select site from quarantines q where q.exit_ip = h.ip_address and q.until_at > ${iso(now)}::timestamptz
            order by site limit ${MAX_SITES}::integer) as sites
        from ip_history h cross join lateral (
          select count(*)::integer as times, max(p.last_seen) as last_seen from ip_history p
          where p.device_id = h.device_id and p.exit = h.exit and p.first_seen < h.first_seen
        ) past
        where h.device_id = ${deviceId}::uuid
          and (${after === null}::boolean or (h.first_seen, h.id) < (${iso(after?.firstSeen ?? 0)}::timestamptz, ${after?.id ?? deviceId}::uuid))
        order by h.first_seen desc, h.id desc limit ${limit}::integer`.execute(db),
      )
      return rows.map((row) => ({
        id: row.id,
        ip: row.ip_address,
        firstSeen: row.first_seen.getTime(),
        lastSeen: row.last_seen.getTime(),
        operator: row.operator,
        requests: Number(row.total_requests),
        timesBlocked: row.times_blocked,
        blockedAt: row.blocked_at?.getTime() ?? null,
        blockedReason: row.blocked_reason,
        blockedFor: row.sites,
        before: row.seen_before === null ? null : { times: row.times, lastSeen: row.seen_before.getTime() },
      }))
    },

    async recall(of) {
      if (of.length === 0) return new Map()
      const { rows } = await query(
        sql<{ key: string; times: number; last_seen: Date }>`
        select given.key, past.times, past.last_seen
        from unnest(
          ${of.map(({ key }) => key)}::text[], ${of.map(({ deviceId }) => deviceId)}::uuid[], ${of.map(({ ip }) => ip)}::inet[],
          ${of.map(({ since }) => iso(since))}::text[]
        ) as given(key, device_id, ip, since) cross join lateral (
          select count(*)::integer as times, max(p.last_seen) as last_seen from ip_history p
          where p.device_id = given.device_id and p.exit = ${exitOf(sql.ref('given.ip'))} and p.first_seen < given.since::timestamptz
        ) past
        where past.times > 0`.execute(db),
      )
      return new Map(rows.map((row) => [row.key, { times: row.times, lastSeen: row.last_seen.getTime() }]))
    },

    async count({ devices, exits, blocks }) {
      // Rows are locked in one order: two hubs' writes cannot wait for each other.
      await query(
        db.transaction().execute(async (transaction) => {
          if (devices.length > 0)
            await sql`
            insert into device_totals as known (device_id, total_requests, successful_requests, failed_requests, response_time_ms_sum)
            select d.id, given.requests, given.successful, given.failed, given.ms
            from unnest(
              ${devices.map(({ deviceId }) => deviceId)}::uuid[], ${devices.map(({ requests }) => requests)}::bigint[],
              ${devices.map(({ successful }) => successful)}::bigint[], ${devices.map(({ failed }) => failed)}::bigint[],
              ${devices.map(({ durationMs }) => durationMs)}::bigint[]
            ) as given(id, requests, successful, failed, ms) join proxy_devices d on d.id = given.id
            order by d.id
            on conflict (device_id) do update set
              total_requests = known.total_requests + excluded.total_requests,
              successful_requests = known.successful_requests + excluded.successful_requests,
              failed_requests = known.failed_requests + excluded.failed_requests,
              response_time_ms_sum = known.response_time_ms_sum + excluded.response_time_ms_sum`.execute(transaction)
          if (exits.length > 0)
            await sql`
            with target as (
              select stint.id, sum(given.n) as n
              from unnest(
                ${exits.map(({ deviceId }) => deviceId)}::uuid[], ${exits.map(({ ip }) => ip)}::inet[], ${exits.map(({ requests }) => requests)}::bigint[]
              ) as given(device_id, ip, n) cross join lateral (
                select h.id from ip_history h where h.device_id = given.device_id and h.exit = ${exitOf(sql.ref('given.ip'))}
                order by h.first_seen desc limit 1
              ) stint group by stint.id
            ), locked as (
              select h.id from ip_history h where h.id in (select id from target) order by h.id for no key update
            )
            update ip_history set total_requests = ip_history.total_requests + target.n
            from target join locked on locked.id = target.id where ip_history.id = target.id`.execute(transaction)
          if (blocks.length > 0)
            await sql`
            with target as (
              select stint.id, sum(given.n)::integer as n, max(given.at::timestamptz) as at, max(given.reason) as reason
              from unnest(
                ${blocks.map(({ ip }) => ip)}::inet[], ${blocks.map(({ times }) => times)}::integer[],
                ${blocks.map(({ at }) => iso(at))}::text[], ${blocks.map(({ reason }) => reason)}::text[]
              ) as given(ip, n, at, reason) cross join lateral (
                select h.id from ip_history h where h.exit = ${exitOf(sql.ref('given.ip'))} order by h.first_seen desc limit 1
              ) stint group by stint.id
            ), locked as (
              select h.id from ip_history h where h.id in (select id from target) order by h.id for no key update
            )
            update ip_history set times_blocked = ip_history.times_blocked + target.n, blocked_at = target.at, blocked_reason = target.reason
            from target join locked on locked.id = target.id where ip_history.id = target.id`.execute(transaction)
        }),
      )
    },

    async prune(before) {
      const { numAffectedRows = 0n } = await query(
        sql`delete from ip_history where id in (
          select h.id from ip_history h
          where h.first_seen < ${iso(before)}::timestamptz and h.last_seen < ${iso(before)}::timestamptz and exists (
            select 1 from ip_history newer
            where newer.device_id = h.device_id and newer.first_seen > h.first_seen and family(newer.ip_address) = family(h.ip_address)
          )
          order by h.first_seen limit ${PRUNE_ROWS}::integer
        )`.execute(db),
      )
      return numAffectedRows >= PRUNE_ROWS
    },
  }
}

interface ListRow {
  id: string
  ip_address: string
  first_seen: Date
  last_seen: Date
  operator: string | null
  total_requests: string
  times_blocked: number
  blocked_at: Date | null
  blocked_reason: string | null
  times: number
  seen_before: Date | null
  sites: string[]
}
