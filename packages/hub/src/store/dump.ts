import { type Kysely, sql } from 'kysely'
import { query } from './failures.ts'
import type { Tables } from './tables.ts'

/** What a backup's first line says. */
export interface DumpHeader {
  format: 'mobilepool-backup'
  version: 1
  /** The newest migration of the database: the shape of the rows. */
  migration: string
  created_at: string
  /** Partitions to make before the rows are read back. */
  partitions: { name: string; parent: string; bound: string }[]
}

/** A line of a backup after the first: a row, or the end. */
export type DumpLine = { t: string; r: Record<string, unknown> } | { end: true; rows: number }

/** Rows that are asked for at a time. */
const FETCH = 500

/**
 * Every row of the database at one moment, as lines of JSON: a header, the rows of one table after the other, tables before those that
 * refer to them, and an end with their number. Secrets in it are sealed or hashed as they are in the database.
 * @throws HubError `database_down`
 */
export async function* dump(db: Kysely<Tables>, now: number): AsyncGenerator<string> {
  const transaction = await query(db.startTransaction().setIsolationLevel('repeatable read').setAccessMode('read only').execute())
  try {
    await sql`set local statement_timeout = 0`.execute(transaction)
    const [newest] = await rowsOf<{ name: string }>(transaction, sql`select name from kysely_migration order by name desc limit 1`)
    const header: DumpHeader = {
      format: 'mobilepool-backup',
      version: 1,
      migration: newest?.name ?? '',
      created_at: new Date(now).toISOString(),
      partitions: await partitionsOf(transaction),
    }
    yield JSON.stringify(header)
    let rows = 0
    for (const table of await tablesInOrder(transaction)) {
      const columns = sql.join((await columnsOf(transaction, table)).map((name) => sql.ref(name)))
      await sql`declare dumped no scroll cursor for select row_to_json(t)::text as line from (select ${columns} from ${sql.table(table)}) t`.execute(
        transaction,
      )
      for (;;) {
        const lines = await rowsOf<{ line: string }>(transaction, sql`fetch ${sql.lit(FETCH)} from dumped`)
        for (const { line } of lines) yield `{"t":${JSON.stringify(table)},"r":${line}}`
        rows += lines.length
        if (lines.length < FETCH) break
      }
      await sql`close dumped`.execute(transaction)
    }
    yield JSON.stringify({ end: true, rows })
  } finally {
    await transaction.rollback().execute()
  }
}

/** Every table of ours, partitions apart, those that others refer to first. */
export async function tablesInOrder(db: Kysely<Tables>): Promise<string[]> {
  const tables = await rowsOf<{ name: string }>(
    db,
    sql`select relname as name from pg_class where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p')
      and not relispartition and relname not like 'kysely%' order by relname`,
  )
  const references = await rowsOf<{ from: string; to: string }>(
    db,
    sql`select distinct f.relname as "from", t.relname as "to" from pg_constraint c join pg_class f on f.oid = c.conrelid
      join pg_class t on t.oid = c.confrelid
      where c.contype = 'f' and c.conrelid <> c.confrelid and f.relnamespace = current_schema()::regnamespace`,
  )
  const placed = new Set<string>()
  const place = (name: string, on: readonly string[]): void => {
    if (placed.has(name) || on.includes(name)) return
    for (const { from, to } of references) if (from === name) place(to, [...on, name])
    placed.add(name)
  }
  const names = new Set(tables.map(({ name }) => name))
  for (const name of names) place(name, [])
  return [...placed].filter((name) => names.has(name))
}

/** The columns of a table that hold values of their own. */
export async function columnsOf(db: Kysely<Tables>, table: string): Promise<string[]> {
  const columns = await rowsOf<{ name: string }>(
    db,
    sql`select column_name as name from information_schema.columns
      where table_schema = current_schema() and table_name = ${table} and is_generated = 'NEVER' order by ordinal_position`,
  )
  return columns.map(({ name }) => name)
}

const partitionsOf = (db: Kysely<Tables>): Promise<DumpHeader['partitions']> =>
  rowsOf(
    db,
    sql`select c.relname as name, p.relname as parent, pg_get_expr(c.relpartbound, c.oid) as bound
      from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_class p on p.oid = i.inhparent
      where c.relispartition and c.relkind in ('r', 'p') and c.relnamespace = current_schema()::regnamespace order by c.oid`,
  )

async function rowsOf<Row>(db: Kysely<Tables>, statement: ReturnType<typeof sql<Row>>): Promise<Row[]> {
  return (await query(statement.execute(db))).rows
}
