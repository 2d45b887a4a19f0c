import { type Kysely, sql } from 'kysely'
import { Migrator } from 'kysely/migration'
import { HubError } from '../errors.ts'
import { columnsOf, type DumpHeader, type DumpLine, tablesInOrder } from './dump.ts'
import { query } from './failures.ts'
import { migrations } from './migrations/index.ts'
import { checkSeal, connectTo, type StoreOptions } from './open.ts'
import type { Seal } from './seal.ts'
import type { Tables } from './tables.ts'

/** Rows that are written at a time. */
const GROUP = 500

/** How a restore went. */
interface Restored {
  rows: number
  /** When the backup was made, ISO 8601. */
  createdAt: string
}

/**
 * Reads a backup's lines into a database that holds nothing yet, or, with `replace`, in the place of what it holds. The rows are read
 * back all or none, in the shape that they had, and then migrated to this version.
 * @throws HubError `backup_unusable`, `database_not_empty`, `secret_key_wrong`, `database_down`, or as `openStore` does
 */
export async function restoreStore(options: StoreOptions, lines: AsyncIterable<string>, replace: boolean): Promise<Restored> {
  const { db, seal, end } = await connectTo(options)
  try {
    await query(sql`select 1`.execute(db))
    const reader = lines[Symbol.asyncIterator]()
    const header = readHeader((await reader.next()).value)
    const known = Object.keys(await migrations.getMigrations())
    if (!known.includes(header.migration))
      throw unusable(`it was made by a newer hub (${header.migration}): install that version, and restore it there`)
    if (!replace && (await holdsData(db)))
      throw new HubError('database_not_empty', 'The database is not empty. Give an empty one, or --force to replace what it holds.')

    await dropAll(db)
    const migrator = new Migrator({ db, provider: migrations })
    orThrow(await migrator.migrateTo(header.migration))
    const rows = await db.transaction().execute((transaction) => load(transaction, { header, reader, seal }))
    orThrow(await migrator.migrateToLatest())
    return { rows, createdAt: header.created_at }
  } finally {
    await end()
  }
}

function readHeader(line: unknown): DumpHeader {
  const header = parse<DumpHeader>(line, 'its first line')
  if (header.format !== 'mobilepool-backup') throw unusable('it is no backup of a hub')
  if (header.version !== 1) throw unusable(`its format ${String(header.version)} is newer than this hub`)
  return header
}

async function load(
  db: Kysely<Tables>,
  { header, reader, seal }: { header: DumpHeader; reader: AsyncIterator<string>; seal: Seal },
): Promise<number> {
  await sql`set local statement_timeout = 0`.execute(db)
  const tables = await tablesInOrder(db)
  // A migration may have put rows into its tables.
  await sql`truncate ${sql.join(tables.map((table) => sql.table(table)))} cascade`.execute(db)
  for (const { name, parent, bound } of header.partitions)
    await sql`create table if not exists ${sql.table(name)} partition of ${sql.table(parent)} ${sql.raw(bound)}`.execute(db)

  let rows = 0
  let group: { table: string; lines: Record<string, unknown>[] } = { table: '', lines: [] }
  const write = async (): Promise<void> => {
    await insert(db, group.table, group.lines)
    rows += group.lines.length
  }
  for (;;) {
    const { value, done } = await reader.next()
    if (done === true) throw unusable('it ends in the middle')
    const line = parse<DumpLine>(value, 'a line')
    if ('end' in line) {
      await write()
      if (line.rows !== rows) throw unusable(`it holds ${rows} rows instead of ${line.rows}`)
      break
    }
    if (!tables.includes(line.t)) throw unusable(`it has rows for a table that its hub does not have (${line.t})`)
    if (line.t !== group.table || group.lines.length >= GROUP) {
      await write()
      group = { table: line.t, lines: [] }
    }
    group.lines.push(line.r)
  }
  for (const table of tables) await setSequences(db, table)
  await checkSeal(db, seal)
  return rows
}

async function insert(db: Kysely<Tables>, table: string, lines: readonly Record<string, unknown>[]): Promise<void> {
  if (lines.length === 0) return
  const given = new Set(Object.keys(lines[0] ?? {}))
  const columns = sql.join((await columnsOf(db, table)).filter((name) => given.has(name)).map((name) => sql.ref(name)))
  // The database itself reads its types back from JSON, the same way on both kinds.
  await sql`insert into ${sql.table(table)} (${columns}) overriding system value
    select ${columns} from json_populate_recordset(null::${sql.table(table)}, ${JSON.stringify(lines)}::text::json)`.execute(db)
}

/** Numbers that the database gives go on after those that were read back. */
async function setSequences(db: Kysely<Tables>, table: string): Promise<void> {
  const { rows } = await sql<{ name: string; sequence: string }>`
    select column_name as name, pg_get_serial_sequence(quote_ident(table_name), column_name) as sequence
    from information_schema.columns where table_schema = current_schema() and table_name = ${table}
      and pg_get_serial_sequence(quote_ident(table_name), column_name) is not null`.execute(db)
  for (const { name, sequence } of rows)
    await sql`select setval(${sequence}::regclass, coalesce(max(${sql.ref(name)}), 1), max(${sql.ref(name)}) is not null)
      from ${sql.table(table)}`.execute(db)
}

/** Whether there is anything that somebody would miss: the hub's own notes are not. */
async function holdsData(db: Kysely<Tables>): Promise<boolean> {
  for (const table of await tablesInOrder(db)) {
    if (table === 'system_config') continue
    const { rows } = await sql`select 1 from ${sql.table(table)} limit 1`.execute(db)
    if (rows.length > 0) return true
  }
  return false
}

async function dropAll(db: Kysely<Tables>): Promise<void> {
  const tables = [...(await tablesInOrder(db)), 'kysely_migration', 'kysely_migration_lock']
  await sql`drop table if exists ${sql.join(tables.map((table) => sql.table(table)))} cascade`.execute(db)
}

function parse<T>(line: unknown, what: string): T {
  try {
    return JSON.parse(String(line)) as T
  } catch (cause) {
    throw new HubError('backup_unusable', `The backup cannot be read: ${what} is not JSON.`, { cause })
  }
}

const unusable = (why: string): HubError => new HubError('backup_unusable', `The backup cannot be restored: ${why}.`)

function orThrow({ error }: { error?: unknown }): void {
  if (error !== undefined) throw error
}
