import { type QueryExecutorProvider, sql } from 'kysely'

const DAY_MS = 86_400_000
const PREFIX = 'request_logs_d'
/** Only one hub at a time makes or drops tables. A number of our own, nothing else uses it. */
const LOCK = 7_305_001

/** The beginning of a time's day, UTC, ms. */
export const dayOf = (time: number): number => Math.floor(time / DAY_MS) * DAY_MS

const tableOf = (day: number): string => PREFIX + new Date(day).toISOString().slice(0, 10).replaceAll('-', '')

/** Makes the table of a day's log, unless it is there; inside the caller's transaction. */
export async function createLogDay(db: QueryExecutorProvider, day: number): Promise<void> {
  await sql`select pg_advisory_xact_lock(${LOCK}::bigint)`.execute(db)
  const [from, to] = [day, day + DAY_MS].map((time) => sql.lit(new Date(time).toISOString()))
  await sql`create table if not exists ${sql.table(tableOf(day))} partition of request_logs for values from (${from}) to (${to})`.execute(
    db,
  )
}

/** Drops the tables of days that were over before a time; returns how many. */
export async function dropLogDays(db: QueryExecutorProvider, before: number): Promise<number> {
  const { rows } = await sql<{ name: string }>`
    select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'request_logs'::regclass`.execute(
    db,
  )
  const last = tableOf(dayOf(before))
  const old = rows.map(({ name }) => name).filter((name) => name.startsWith(PREFIX) && name < last)
  // Each on its own: a drop waits for readers and holds up writers, so no two of them in one transaction.
  for (const name of old) await sql`drop table if exists ${sql.table(name)}`.execute(db)
  return old.length
}
