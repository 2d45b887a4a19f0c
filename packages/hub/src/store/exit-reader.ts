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
 * When a stretch was over, or was last seen: of the one that lasts the end is in the row of the heartbeat. Joined to `hot`, that row.
 */
const endOf = (stint: string): RawBuilder<Date> => {
  const of = (column: string) => sql.ref(`${stint}.${column}`)
  return sql<Date>`greatest(${of('last_seen')}, case
    when ${of('exit')} = network(set_masklen(hot.remote_ip, case family(hot.remote_ip) when 4 then 32 else 64 end)) and not exists (
      select 1 from ip_history later where later.device_id = ${of('device_id')} and later.first_seen > ${of('first_seen')}
        and family(later.ip_address) = family(${of('ip_address')})
    ) then hot.updated_at end)`
}

/** The stretches that touch a range, with their ends. */
function touching({ from, to, deviceIds }: Within): RawBuilder<unknown> {
  const isMeant = (table: string) =>
    deviceIds === undefined ? sql`true` : sql`${sql.ref(`${table}.device_id`)} = any(${[...deviceIds]}::uuid[])`
  const columns = (table: string) =>
    sql.join(['device_id', 'exit', 'first_seen', 'total_requests', 'times_blocked'].map((column) => sql.ref(`${table}.${column}`)))
  return sql`(
    select ${columns('h')}, ${endOf('h')} as last_seen
    from ip_history h left join proxy_heartbeat hot on hot.device_id = h.device_id
    where h.first_seen >= ${iso(from)}::timestamptz and h.first_seen < ${iso(to)}::timestamptz and ${isMeant('h')}
    union all
    select ${columns('past')}, ${endOf('past')}
    from proxy_heartbeat hot cross join lateral (
      select * from ip_history h where h.device_id = hot.device_id and h.first_seen < ${iso(from)}::timestamptz
      order by h.first_seen desc limit ${STRADDLING}::integer
    ) past
    where ${isMeant('hot')} and ${endOf('past')} >= ${iso(from)}::timestamptz
  )`
}

/** Exits that were had within a time, most stints first. @throws HubError `database_down` */
export async function readExits(db: Kysely<Tables>, filter: ExitFilter): Promise<ExitUses> {
  const { isRepeated = false, limit, offset } = filter
  const { rows } = await query(
    sql<ExitRow>`
      with seen as (
        select t.exit, count(*) as stints, count(distinct t.device_id) as devices, min(t.first_seen) as first_seen,
          max(t.last_seen) as last_seen, sum(t.total_requests)::bigint as requests, sum(t.times_blocked)::bigint as blocked
        from ${touching(filter)} t group by t.exit
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
  const end = before ? iso(before.firstSeen) : iso(to)
  const { rows } = await query(
    sql<StintRow>`
      select t.id, d.name, t.ip_address, t.operator, t.first_seen, ${endOf('t')} as last_seen, t.total_requests, t.times_blocked,
        t.blocked_reason
      from ip_history t join proxy_devices d on d.id = t.device_id left join proxy_heartbeat hot on hot.device_id = t.device_id
      where t.first_seen >= ${iso(from)}::timestamptz and t.first_seen < ${iso(to)}::timestamptz and t.first_seen <= ${end}::timestamptz
        and (${before === undefined}::boolean or (t.first_seen, t.id) < (${end}::timestamptz, ${before?.id ?? null}::uuid))
        and (${deviceIds === undefined}::boolean or t.device_id = any(${[...(deviceIds ?? [])]}::uuid[]))
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
