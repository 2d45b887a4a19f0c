import type { Kysely } from 'kysely'
import { Migrator } from 'kysely/migration'
import { HubError } from '../errors.ts'
import { migrations } from './migrations/index.ts'
import type { Tables } from './tables.ts'

/**
 * Brings the tables to this version's shape.
 * @throws HubError `database_unreachable` when a newer hub has made them
 */
export async function migrate(db: Kysely<Tables>): Promise<void> {
  const { error } = await new Migrator({ db, provider: migrations }).migrateToLatest()
  if (error === undefined) return
  if (/previously executed migration .* is missing/.test(error instanceof Error ? error.message : String(error)))
    throw new HubError('database_unreachable', 'The database was made by a newer hub: start that version, or restore a backup.', {
      cause: error,
    })
  throw error
}
