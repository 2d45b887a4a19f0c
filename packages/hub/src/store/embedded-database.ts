import { existsSync, openAsBlob, readFileSync } from 'node:fs'
import { access, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PGlite } from '@electric-sql/pglite'

const INT8 = 20

/** Without the defaults it hangs; without these two it takes 300 MB and a WAL of 1 GB (reference/hub.md 3.1). */
const START = { startParams: [...PGlite.defaultStartParams, '-c', 'shared_buffers=16MB', '-c', 'max_wal_size=64MB'] }

/**
 * Opens the embedded database of a folder; makes it first where there is none. Its `initdb` takes about ten seconds of CPU, so that
 * a new one is a copy of the one that this package was built with (migrated, nothing in it), where that is of the same PGlite.
 * @throws Error whatever PGlite says of a folder that holds something else, or that is broken
 */
export async function openEmbeddedDatabase(dir: string): Promise<PGlite> {
  if (!(await exists(join(dir, 'PG_VERSION')))) await make(dir)
  return PGlite.create({ dataDir: dir, ...START, parsers: { [INT8]: Number } })
}

/** Everything of the database in a folder, which nobody has open. */
export async function archiveOf(dir: string): Promise<Blob> {
  const db = await PGlite.create({ dataDir: dir, ...START })
  try {
    return await db.dumpDataDir('gzip')
  } finally {
    await db.close()
  }
}

/** Name of the archive for the PGlite that is installed. */
export const archiveName = (): string => `empty-database-${installedVersion()}.tar.gz`

/** Made beside its place and moved there whole: a hub killed in the middle of its first start would leave half a database. */
async function make(dir: string): Promise<void> {
  const draft = `${dir}.new`
  await rm(draft, { recursive: true, force: true })
  const archive = join(distFolder(), archiveName())
  const db = await PGlite.create({
    dataDir: draft,
    ...START,
    ...((await exists(archive)) ? { loadDataDir: await openAsBlob(archive) } : {}),
  })
  await db.close()
  await rename(draft, dir)
}

/** Where the archive lies: beside the bundle, or in the build's folder when the sources run. */
const distFolder = (): string => fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? '../../dist/' : './', import.meta.url))

function installedVersion(): string {
  // The package does not export its package.json.
  for (let folder = dirname(fileURLToPath(import.meta.resolve('@electric-sql/pglite'))); ; folder = dirname(folder)) {
    const file = join(folder, 'package.json')
    if (!existsSync(file)) continue
    const found = JSON.parse(readFileSync(file, 'utf8')) as { name?: string; version?: string }
    if (found.name === '@electric-sql/pglite' && found.version) return found.version
  }
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )
