import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pglitePool } from '../../packages/hub/src/store/pglite.ts'
import { postgresPool } from '../../packages/hub/src/store/postgres.ts'
import { startPostgres } from '../../packages/hub/test/postgres.ts'

/** Rows of a statement. */
export type Rows = Record<string, unknown>[]

/** A database for hubs of one benchmark. */
export interface HubDatabase {
  readonly name: 'Postgres' | 'PGlite'
  /** What a hub is told of it. */
  readonly env: Record<string, string>
  /** Looks into it past the hub. PGlite takes that only while no hub has it open. */
  read<Found>(look: (query: (sql: string, parameters?: readonly unknown[]) => Promise<Rows>) => Promise<Found>): Promise<Found>
  close(): Promise<void>
}

/** A fresh Postgres that commits to the disk (fsync on), as an owner's does. */
export async function freshPostgres(): Promise<HubDatabase> {
  const dataDir = await mkdtemp(join(tmpdir(), 'mobilepool-bench-'))
  const server = await startPostgres({ isDurable: true })
  const url = await server.createDatabase('bench')
  return {
    name: 'Postgres',
    env: { DATABASE_URL: url, HUB_DATA_DIR: dataDir },
    async read(look) {
      const pool = postgresPool(url, 1)
      // A hub waits for no statement so long; filling a month takes minutes.
      Object.assign(pool.options, { query_timeout: 600_000, statement_timeout: 0 })
      try {
        return await look(async (sql, parameters = []) => (await pool.query(sql, [...parameters])).rows as Rows)
      } finally {
        await pool.end()
      }
    },
    async close() {
      await server.close()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

/** The embedded database in a fresh folder. */
export async function freshPglite(): Promise<HubDatabase> {
  const dataDir = await mkdtemp(join(tmpdir(), 'mobilepool-bench-'))
  return {
    name: 'PGlite',
    env: { HUB_DATA_DIR: dataDir },
    async read(look) {
      const pool = pglitePool(join(dataDir, 'pglite'))
      try {
        await pool.open()
        const client = await pool.connect()
        const found = await look(async (sql, parameters = []) => (await client.query<Record<string, unknown>>(sql, parameters)).rows)
        client.release()
        return found
      } finally {
        await pool.end()
      }
    },
    close: () => rm(dataDir, { recursive: true, force: true }),
  }
}
