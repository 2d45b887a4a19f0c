import { type Kysely, type RawBuilder, sql } from 'kysely'
import { query } from './failures.ts'
import type { Tables } from './tables.ts'

/** A range of time, of some devices or of all; `to` is exclusive. */
interface Within {
  from: number
  to: number
  deviceIds?: readonly string[] | undefined
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

/** Which exits: most stints first. */
export interface ExitFilter extends Within {
  /** Only those with more than one stint. */
  isRepeated?: boolean | undefined
  limit: number
  offset: number
}

/** How many exits there were within a time, and some of them. */
export interface ExitUses {
  unique: number
  /** Those with more than one stint. */
  repeated: number
  exits: ExitUse[]
}

/** A stretch of time of a device at an address. */
export interface ExitStint {
  id: string
  deviceName: string
  ip: string
  operator: string | null
  firstSeen: number
  lastSeen: number
  requests: number
  timesBlocked: number
  blockedReason: string | null
}

/** A device's stretches are looked through this far back for the one that lasted into the range: both families, and one more each. */
const STRADDLING = 4

const iso = (time: number): string => new Date(time).toISOString()

/**
 * Of each device the stretch that lasts, and until when it was seen: that is in the row of the heartbeat. A device is at the address that
 * it was last seen at, so it is the newest stretch there.
 */
const lasting = (isMeant: (table: string) => RawBuilder<unknown>): RawBuilder<unknown> => sql`(
  select stint.id, hot.updated_at as until from proxy_heartbeat hot cross join lateral (
    select h.id from ip_history h
    where h.device_id = hot.device_id
      and h.exit = network(set_masklen(hot.remote_ip, case family(hot.remote_ip) when 4 then 32 else 64 end))
    order by h.first_seen desc limit 1
  ) stint where ${isMeant('hot')}
)`

const meant =
  (deviceIds: readonly string[] | undefined) =>
  (table: string): RawBuilder<unknown> =>
    deviceIds === undefined ? sql`true` : sql`${sql.ref(`${table}.device_id`)} = any(${[...deviceIds]}::uuid[])`

/** Exits that were had within a time, most stints first. @throws HubError `database_down` */
export async function readExits(db: Kysely<Tables>, filter: ExitFilter): Promise<ExitUses> {
  const { from, to, deviceIds, isRepeated = false, limit, offset } = filter
  const isMeant = meant(deviceIds)
  const { rows } = await query(
    sql<ExitRow>`
      with lasting as materialized ${lasting(isMeant)}, touching as (
        select h.device_id, h.exit, h.first_seen, greatest(h.last_seen, lasting.until) as last_seen, h.total_requests, h.times_blocked
        from ip_history h left join lasting using (id)
        where h.first_seen >= ${iso(from)}::timestamptz and h.first_seen < ${iso(to)}::timestamptz and ${isMeant('h')}
        union all
        select past.device_id, past.exit, past.first_seen, greatest(past.last_seen, lasting.until), past.total_requests, past.times_blocked
        from (select hot.device_id from proxy_heartbeat hot where ${isMeant('hot')}) hot cross join lateral (
          select * from ip_history h where h.device_id = hot.device_id and h.first_seen < ${iso(from)}::timestamptz
          order by h.first_seen desc limit ${STRADDLING}::integer
        ) past left join lasting using (id)
        where greatest(past.last_seen, lasting.until) >= ${iso(from)}::timestamptz
      ), seen as (
        select t.exit, count(*) as stints, count(distinct t.device_id) as devices, min(t.first_seen) as first_seen,
          max(t.last_seen) as last_seen, sum(t.total_requests)::bigint as requests, sum(t.times_blocked)::bigint as blocked
        from touching t group by t.exit
      ), counted as (
        select count(*) as unique_count, count(*) filter (where stints > 1) as repeated from seen
      ), page as (
        select * from seen where stints > 1 or not ${isRepeated}::boolean
        order by stints desc, exit limit ${limit}::integer offset ${offset}::integer
      )
      select counted.*, page.exit::text as exit, page.stints, page.devices, page.first_seen, page.last_seen, page.requests, page.blocked
      from counted left join page on true order by page.stints desc, page.exit`.execute(db),
  )
  return {
    unique: Number(rows[0]?.unique_count ?? 0),
    repeated: Number(rows[0]?.repeated ?? 0),
    exits: rows.flatMap((row) =>
      row.exit === null
        ? []
        : {
            exit: row.exit.replace(/\/32$/, ''),
            stints: Number(row.stints),
            devices: Number(row.devices),
            firstSeen: row.first_seen.getTime(),
            lastSeen: row.last_seen.getTime(),
            requests: Number(row.requests),
            timesBlocked: Number(row.blocked),
          },
    ),
  }
}

/** Stretches that began within a time, newest first, from behind one on. @throws HubError `database_down` */
export async function readStints(
  db: Kysely<Tables>,
  { from, to, deviceIds, before, limit }: Within & { before?: { firstSeen: number; id: string } | undefined; limit: number },
): Promise<ExitStint[]> {
  const isMeant = meant(deviceIds)
  const end = before ? iso(before.firstSeen) : iso(to)
  const { rows } = await query(
    sql<StintRow>`
      with lasting as materialized ${lasting(isMeant)}
      select t.id, d.name, t.ip_address, t.operator, t.first_seen, greatest(t.last_seen, lasting.until) as last_seen, t.total_requests,
        t.times_blocked, t.blocked_reason
      from ip_history t join proxy_devices d on d.id = t.device_id left join lasting on lasting.id = t.id
      where t.first_seen >= ${iso(from)}::timestamptz and t.first_seen < ${iso(to)}::timestamptz and t.first_seen <= ${end}::timestamptz
        and (${before === undefined}::boolean or (t.first_seen, t.id) < (${end}::timestamptz, ${before?.id ?? null}::uuid))
        and ${isMeant('t')}
      order by t.first_seen desc, t.id desc limit ${limit}::integer`.execute(db),
  )
  return rows.map((row) => ({
    id: row.id,
    deviceName: row.name,
    ip: row.ip_address,
    operator: row.operator,
    firstSeen: row.first_seen.getTime(),
    lastSeen: row.last_seen.getTime(),
    requests: Number(row.total_requests),
    timesBlocked: row.times_blocked,
    blockedReason: row.blocked_reason,
  }))
}

interface ExitRow {
  unique_count: number
  repeated: number
  exit: string | null
  stints: number
  devices: number
  first_seen: Date
  last_seen: Date
  requests: number
  blocked: number
}

interface StintRow {
  id: string
  name: string
  ip_address: string
  operator: string | null
  first_seen: Date
  last_seen: Date
  total_requests: string
  times_blocked: number
  blocked_reason: string | null
}
