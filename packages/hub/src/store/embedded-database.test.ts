import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import { Kysely, PostgresDialect } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { archiveName, openEmbeddedDatabase } from './embedded-database.ts'
import { migrate } from './migrate.ts'
import { pglitePool } from './pglite.ts'
import type { Tables } from './tables.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mobilepool-embedded-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Columns, indexes, constraints and migrations of the database in a folder, brought to this version. */
async function shapeOf(dir: string): Promise<unknown> {
  const pool = pglitePool(dir)
  await pool.open()
  try {
    await migrate(new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) }))
    const client = await pool.connect()
    const read = async (sql: string) => (await client.query<Record<string, unknown>>(sql, [])).rows
    const shape = {
      columns: await read(`select table_name, column_name, data_type, is_nullable, column_default from information_schema.columns
        where table_schema = 'public' order by 1, 2`),
      indexes: await read(`select tablename, indexname, indexdef from pg_indexes where schemaname = 'public' order by 1, 2`),
      constraints: await read(`select conrelid::regclass::text as of, conname, pg_get_constraintdef(oid) as says from pg_constraint
        where connamespace = 'public'::regnamespace order by 1, 2`),
      migrations: await read('select name from kysely_migration order by 1'),
      settings: await read(`select name, setting from pg_settings
        where name in ('server_encoding', 'lc_ctype', 'default_text_search_config', 'max_wal_size') order by 1`),
    }
    client.release()
    return shape
  } finally {
    await pool.end()
  }
}

describe('the embedded database', () => {
  test('copied from the build it is the one that initdb and the migrations make', { timeout: 120_000 }, async () => {
    const archive = join(import.meta.dirname, '..', '..', 'dist', archiveName())
    expect(existsSync(archive), `${archive} is missing: run npm run build`).toBe(true)
    const made = join(folder, 'made')
    await (await PGlite.create({ dataDir: made })).close()
    const [fromScratch, copied] = [await shapeOf(made), await shapeOf(join(folder, 'copied'))]
    expect(copied).toEqual(fromScratch)
    expect((copied as { migrations: unknown[] }).migrations.length).toBeGreaterThanOrEqual(10)
  })

  test('a first start that was killed in the middle leaves nothing in the way of the next one', async () => {
    const dir = join(folder, 'killed')
    await mkdir(`${dir}.new/base`, { recursive: true })
    await writeFile(`${dir}.new/PG_VERSION`, '18\n')
    const db = await openEmbeddedDatabase(dir)
    expect((await db.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    await db.close()
    expect((await readdir(folder)).filter((name) => name.startsWith('killed'))).toEqual(['killed'])
  })
})
