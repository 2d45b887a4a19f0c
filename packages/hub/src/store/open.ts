import { join } from 'node:path'
import { Kysely, PostgresDialect, type PostgresPool, sql } from 'kysely'
import { HubError } from '../errors.ts'
import { type ChannelStore, channelStore } from './alert-channel-store.ts'
import { type DeliveryStore, deliveryStore } from './alert-delivery-store.ts'
import { type AlertSettingsStore, alertSettingsStore } from './alert-settings-store.ts'
import { type AlertStore, alertStore } from './alert-store.ts'
import { type AuditStore, auditStore } from './audit-store.ts'
import { type BlockStore, blockStore } from './block-store.ts'
import { type CredentialWatch, credentialWatch } from './credential-watch.ts'
import { prepareDataDir, secretFor } from './data-dir.ts'
import { type DeviceStore, deviceStore } from './device-store.ts'
import { lockDirectory } from './directory-lock.ts'
import { dump } from './dump.ts'
import { type EnrolmentStore, enrolmentStore } from './enrolment-store.ts'
import { query } from './failures.ts'
import { type HeartbeatStore, heartbeatStore } from './heartbeat-store.ts'
import { type IpHistoryStore, ipHistoryStore } from './ip-history-store.ts'
import { type KeyStore, keyStore } from './key-store.ts'
import { migrate } from './migrate.ts'
import { pglitePool } from './pglite.ts'
import { migrationPool, postgresPool } from './postgres.ts'
import { type PulseStore, pulseStore } from './pulse-store.ts'
import { type QuarantineStore, quarantineStore } from './quarantine-store.ts'
import { type QuotaStore, quotaStore } from './quota-store.ts'
import { type RotationLinkStore, rotationLinkStore } from './rotation-link-store.ts'
import { type RotationStore, rotationStore } from './rotation-store.ts'
import { createSeal, type Seal } from './seal.ts'
import { type SessionStore, sessionStore } from './session-store.ts'
import { type SettingStore, settingStore } from './setting-store.ts'
import { type StatisticsStore, statisticsStore } from './statistics-store.ts'
import type { Tables } from './tables.ts'
import { type TelemetryStore, telemetryStore } from './telemetry-store.ts'
import { type UsageStore, usageStore } from './usage-store.ts'
import { type UserStore, userStore } from './user-store.ts'

/** PGlite never vacuums by itself (reference/hub.md 3.1). */
const VACUUM_EVERY_MS = 600_000
const HOT_TABLES = [
  'proxy_heartbeat',
  'device_telemetry',
  'device_totals',
  'rotations',
  'rotation_config',
  'system_config',
  'usage_stats',
  'usage_sites',
  'usage_reporters',
  'device_totals',
  'quarantines',
  'users',
  'sessions',
  'api_keys',
  'alert_deliveries',
] as const
export const SEAL_CHECK_KEY = 'secret_key_check'

export interface StoreOptions {
  /** Folder of the embedded database and the generated secret key. */
  dataDir: string
  /** Postgres instead of the embedded database. */
  databaseUrl: string | null
  databasePoolSize: number
  /** Seals proxy credentials; null: the one in the data folder. */
  secretKey: string | null
}

/** Everything that outlives the process. */
export interface Store {
  readonly devices: DeviceStore
  readonly heartbeats: HeartbeatStore
  readonly ipHistory: IpHistoryStore
  readonly telemetry: TelemetryStore
  readonly rotations: RotationStore
  readonly rotationLinks: RotationLinkStore
  readonly keys: KeyStore
  readonly enrolment: EnrolmentStore
  readonly pulse: PulseStore
  readonly usage: UsageStore
  readonly statistics: StatisticsStore
  readonly quarantines: QuarantineStore
  readonly users: UserStore
  readonly sessions: SessionStore
  readonly quotas: QuotaStore
  readonly audit: AuditStore
  readonly blocks: BlockStore
  readonly settings: SettingStore
  readonly credentials: CredentialWatch
  /** A key for one purpose, derived from the secret key: 32 bytes. */
  derive(purpose: string): Uint8Array
  readonly alerts: AlertStore
  readonly alertChannels: ChannelStore
  readonly alertDeliveries: DeliveryStore
  readonly alertSettings: AlertSettingsStore
  /** Every row at one moment, as the lines of a backup. @throws HubError `database_down` */
  dump(): AsyncIterable<string>
  /** Asks the database for an answer. @throws HubError `database_down` */
  ping(): Promise<void>
  /** Ends every connection or the database's thread, and frees the data folder. */
  close(): Promise<void>
}

/**
 * Opens the database, migrated to this version.
 * @throws HubError `data_dir_locked`, `data_dir_unusable`, `database_unreachable` or `secret_key_wrong`
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const connection = await connectTo(options)
  return options.databaseUrl === null ? openEmbedded(connection) : openPostgres(options.databaseUrl, connection)
}

/** A database that is open: not migrated, nothing in it looked at. */
interface Connection {
  db: Kysely<Tables>
  seal: Seal
  end: () => Promise<void>
}

/** Opens the database as it is. @throws HubError `data_dir_locked`, `data_dir_unusable`, `database_unreachable` */
export async function connectTo(options: StoreOptions): Promise<Connection> {
  await prepareDataDir(options.dataDir)
  const seal = createSeal(await secretFor(options.dataDir, options.secretKey))
  if (options.databaseUrl === null) return { ...(await connectEmbedded(options.dataDir)), seal }
  const pool = postgresPool(options.databaseUrl, options.databasePoolSize)
  return { db: kysely(pool), seal, end: () => pool.end() }
}

async function connectEmbedded(dataDir: string): Promise<{ db: Kysely<Tables>; end: () => Promise<void> }> {
  const lock = await lockDirectory(dataDir)
  const dir = join(dataDir, 'pglite')
  const pool = pglitePool(dir)
  const end = async (): Promise<void> => {
    await pool.end()
    await lock.release()
  }
  try {
    await pool.open()
    return { db: kysely(pool), end }
  } catch (cause) {
    await end()
    throw new HubError('database_unreachable', `The embedded database in ${dir} does not open: ${message(cause)}.`, { cause })
  }
}

async function openEmbedded({ db, seal, end }: Connection): Promise<Store> {
  try {
    await migrate(db)
    await checkSeal(db, seal)
  } catch (error) {
    await end()
    throw error
  }
  const vacuum = setInterval(() => void vacuumHotTables(db), VACUUM_EVERY_MS)
  return storeOver(db, seal, async () => {
    clearInterval(vacuum)
    await end()
  })
}

async function openPostgres(url: string, { db, seal, end }: Connection): Promise<Store> {
  const unreachable = (cause: unknown): HubError =>
    cause instanceof HubError
      ? cause
      : new HubError('database_unreachable', `The database of DATABASE_URL does not answer as it should: ${message(cause)}.`, { cause })
  const migrating = migrationPool(url)
  try {
    await migrate(kysely(migrating))
    await checkSeal(db, seal)
  } catch (error) {
    await end()
    throw unreachable(error)
  } finally {
    await migrating.end()
  }
  return storeOver(db, seal, end)
}

const kysely = (pool: PostgresPool): Kysely<Tables> => new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })

function storeOver(db: Kysely<Tables>, seal: Seal, end: () => Promise<void>): Store {
  let closing: Promise<void> | null = null
  return {
    devices: deviceStore(db, seal),
    heartbeats: heartbeatStore(db),
    ipHistory: ipHistoryStore(db),
    telemetry: telemetryStore(db),
    rotations: rotationStore(db),
    rotationLinks: rotationLinkStore(db),
    keys: keyStore(db),
    enrolment: enrolmentStore(db, seal),
    pulse: pulseStore(db),
    usage: usageStore(db),
    statistics: statisticsStore(db),
    quarantines: quarantineStore(db),
    users: userStore(db),
    sessions: sessionStore(db),
    quotas: quotaStore(db),
    audit: auditStore(db),
    blocks: blockStore(db),
    settings: settingStore(db),
    credentials: credentialWatch(db),
    derive: seal.derive,
    alerts: alertStore(db),
    alertChannels: channelStore(db, seal),
    alertDeliveries: deliveryStore(db),
    alertSettings: alertSettingsStore(db),
    dump: () => dump(db, Date.now()),
    ping: async () => void (await query(sql`select 1`.execute(db))),
    close: () => {
      closing ??= end()
      return closing
    },
  }
}

/** A constant that was sealed on the first start tells a wrong SECRET_KEY before anything is read or written with it. */
export async function checkSeal(db: Kysely<Tables>, seal: Seal): Promise<void> {
  await db
    .insertInto('system_config')
    .values({ key: SEAL_CHECK_KEY, value: seal.close(SEAL_CHECK_KEY, SEAL_CHECK_KEY) })
    .onConflict((conflict) => conflict.column('key').doNothing())
    .execute()
  const { value } = await db.selectFrom('system_config').select('value').where('key', '=', SEAL_CHECK_KEY).executeTakeFirstOrThrow()
  try {
    seal.open(value, SEAL_CHECK_KEY)
  } catch (cause) {
    throw new HubError(
      'secret_key_wrong',
      'SECRET_KEY is not the one this database was written with: give that one, or put secret.key back.',
      { cause },
    )
  }
}

async function vacuumHotTables(db: Kysely<Tables>): Promise<void> {
  // A database that is away or closing is vacuumed next time.
  for (const table of HOT_TABLES) await sql`vacuum ${sql.table(table)}`.execute(db).catch(() => {})
}

function message(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // A refused connection to a name with several addresses has a code, but no message.
  return error.message || (error as NodeJS.ErrnoException).code || error.name
}
