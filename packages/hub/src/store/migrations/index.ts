import type { Migration, MigrationProvider } from 'kysely/migration'
import { firstTables } from './0001-first-tables.ts'
import { usageAndBans } from './0002-usage-and-bans.ts'
import { accounts } from './0003-accounts.ts'
import { devices } from './0004-devices.ts'
import { statistics } from './0005-statistics.ts'
import { alerts } from './0006-alerts.ts'
import { rotations } from './0007-rotations.ts'
import { logOwners } from './0008-log-owners.ts'
import { rotationBaseline } from './0009-rotation-baseline.ts'
import { logReaders } from './0010-log-readers.ts'

/** Every migration under its name, in order. Static imports, so that a bundle holds them; a name once released never changes. */
const all: Record<string, Migration> = {
  '0001-first-tables': firstTables,
  '0002-usage-and-bans': usageAndBans,
  '0003-accounts': accounts,
  '0004-devices': devices,
  '0005-statistics': statistics,
  '0006-alerts': alerts,
  '0007-rotations': rotations,
  '0008-log-owners': logOwners,
  '0009-rotation-baseline': rotationBaseline,
  '0010-log-readers': logReaders,
}

export const migrations: MigrationProvider = { getMigrations: () => Promise.resolve(all) }
