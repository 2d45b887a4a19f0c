import { type Kysely, sql } from 'kysely'
import { query } from './failures.ts'
import type { Tables } from './tables.ts'
import type { UsageEntry } from './usage-store.ts'

/** A line of the request log. */
export interface LoggedRequest extends UsageEntry {
  id: string
  deviceName: string | null
  clientIp: string | null
}

/** A place in the log: lines are ordered by time, then id. */
export interface LogPlace {
  at: number
  id: string
}

/** Which lines of the log. Every filter that is given must hold. */
export interface LogFilter {
  from: number
  /** Exclusive. */
  to: number
  deviceIds?: readonly string[] | undefined
  /** Only what this user, or this key, has reported. */
  reporter?: string | undefined
  site?: string | undefined
  outcome?: string | undefined
  status?: number | undefined
  exitIp?: string | undefined
  session?: string | undefined
  /** Older than this line. */
  before?: LogPlace | undefined
  limit: number
}

/** Lines of the log, newest first. @throws HubError `database_down` */
export async function readLog(db: Kysely<Tables>, filter: LogFilter): Promise<LoggedRequest[]> {
  const { from, to, deviceIds, reporter, site, outcome, status, exitIp, session, before, limit } = filter
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
  if (reporter !== undefined) select = select.where('reporter', '=', reporter)
  if (site !== undefined) select = select.where('site', '=', site)
  if (outcome !== undefined) select = select.where('outcome', '=', outcome)
  if (status !== undefined) select = select.where('status_code', '=', status)
  if (exitIp !== undefined) select = select.where('external_ip', '=', exitIp)
  if (session !== undefined) select = select.where('session', '=', session)
  if (before)
    select = select
      // Without it the tables of younger days would be looked into for each page.
      .where('created_at', '<=', new Date(before.at))
      .where(sql<boolean>`(created_at, id) < (${new Date(before.at).toISOString()}::timestamptz, ${before.id}::uuid)`)
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
    session: row.session,
    bytesOut: Number(row.request_size),
    bytesIn: Number(row.response_size),
    durationMs: row.response_time_ms,
    at: row.created_at.getTime(),
  }))
}
