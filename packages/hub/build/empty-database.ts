/**
 * Step of the build: puts the archive of a database into dist/, migrated and with nothing in it, from which a hub's first start copies
 * instead of running `initdb` and the migrations. One that is there and newer than the migrations stays: it takes ten seconds to make.
 */
import { readdirSync, rmSync, statSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kysely, PostgresDialect } from 'kysely'
import { archiveName, archiveOf } from '../src/store/embedded-database.ts'
import { migrate } from '../src/store/migrate.ts'
import { pglitePool } from '../src/store/pglite.ts'
import type { Tables } from '../src/store/tables.ts'

const dist = join(import.meta.dirname, '..', 'dist')
const migrations = join(import.meta.dirname, '..', 'src', 'store', 'migrations')
const archive = join(dist, archiveName())

const changedAt = (path: string): number => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0
const migrationsChangedAt = Math.max(...readdirSync(migrations).map((name) => changedAt(join(migrations, name))))

if (changedAt(archive) < migrationsChangedAt) {
  // An older one would be what the new one is made from.
  for (const name of readdirSync(dist)) if (name.startsWith('empty-database-')) rmSync(join(dist, name))
  const folder = await mkdtemp(join(tmpdir(), 'mobilepool-empty-'))
  try {
    const dir = join(folder, 'database')
    const pool = pglitePool(dir)
    await migrate(new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) }))
    await pool.end()
    await writeFile(archive, Buffer.from(await (await archiveOf(dir)).arrayBuffer()))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
