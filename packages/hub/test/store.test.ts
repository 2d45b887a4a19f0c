import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { heartbeatStore } from '../src/store/heartbeat-store.ts'
import { openStore } from '../src/store/index.ts'
import { postgresPool } from '../src/store/postgres.ts'
import type { Tables } from '../src/store/tables.ts'
import { startPostgres, type TestPostgres } from './postgres.ts'
import { deviceSettings as device, T0 } from './records.ts'
import { beat, newDevice, storeContract } from './store-contract.ts'

/** initdb in WebAssembly takes 3 s alone, and many times that beside other work. */
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

const SECRET = 'the operator’s own secret'

describe('the embedded database', () => {
  let dataDir: string
  const options = () => ({ dataDir, databaseUrl: null, databasePoolSize: 10, secretKey: SECRET })
  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'mobilepool-store-'))
  })
  afterAll(() => rm(dataDir, { recursive: true, force: true }))

  describe('keeps the contract', () => storeContract(() => openStore(options())))

  test('another secret key is refused before anything is read', async () => {
    await expect(openStore({ ...options(), secretKey: 'quite another secret key' })).rejects.toMatchObject({ code: 'secret_key_wrong' })
  })

  test('a second hub on the folder is refused, by name, and the first goes on', async () => {
    const first = await openStore(options())
    await expect(openStore(options())).rejects.toMatchObject({
      code: 'data_dir_locked',
      message: expect.stringContaining(String(process.pid)),
    })
    await first.ping()
    await first.close()
    await (await openStore(options())).close()
  })

  test('nothing of a proxy’s credentials is in any file of the folder', async () => {
    const store = await openStore(options())
    await store.devices.put(device('secret-01', { proxyUrl: 'http://jean:correct-horse-battery@10.0.0.9:8080' }))
    await store.close()
    const { readdir } = await import('node:fs/promises')
    for (const entry of await readdir(dataDir, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      expect((await readFile(join(entry.parentPath, entry.name))).includes('correct-horse-battery'), entry.name).toBe(false)
    }
  })

  test('a generated secret key is the same on the next start and readable by its owner only', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'mobilepool-store-'))
    const own = { dataDir: dir, databaseUrl: null, databasePoolSize: 10, secretKey: null }
    const first = await openStore(own)
    await first.devices.put(device('tver-01', { proxyUrl: 'http://a:b@10.0.0.1:1' }))
    await first.close()
    expect((await stat(join(dir, 'secret.key'))).mode & 0o777).toBe(0o600)
    const second = await openStore(own)
    expect((await second.devices.all())[0]?.proxyUrl).toBe('http://a:b@10.0.0.1:1')
    await second.close()
    await rm(dir, { recursive: true })
  })

  test('a data folder that is a file is refused in one sentence', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'mobilepool-store-'))
    await writeFile(join(dir, 'file'), '')
    await expect(openStore({ ...options(), dataDir: join(dir, 'file') })).rejects.toMatchObject({ code: 'data_dir_unusable' })
    await rm(dir, { recursive: true })
  })
})

describe('Postgres', () => {
  let postgres: TestPostgres
  let dataDir: string
  const options = (databaseUrl: string) => ({ dataDir, databaseUrl, databasePoolSize: 5, secretKey: SECRET })
  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'mobilepool-store-'))
    postgres = await startPostgres()
  })
  afterAll(async () => {
    await postgres.close()
    await rm(dataDir, { recursive: true, force: true })
  })

  test('plans the statement of the heartbeats once a connection, however many beats a group has', async () => {
    const url = await postgres.createDatabase('planned_once')
    await (await openStore(options(url))).close()
    const pool = postgresPool(url, 1)
    const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
    const heartbeats = heartbeatStore(db)
    for (const count of [1, 3, 2])
      await heartbeats.write(
        Array.from({ length: count }, (_, n) => beat({ id: randomUUID(), name: `phone-${count}-${n}` }, { isNew: true })),
        newDevice,
      )
    const { rows } = await pool.query('select name, (generic_plans + custom_plans)::integer as runs from pg_prepared_statements')
    expect(rows).toEqual([{ name: 'heartbeats', runs: 3 }])
    expect((await pool.query('select count(*)::integer as count from proxy_heartbeat')).rows).toEqual([{ count: 6 }])
    await db.destroy()
  })

  describe('keeps the contract', () => {
    let url: Promise<string> | undefined
    storeContract(async () => {
      url ??= postgres.createDatabase('contract')
      return openStore(options(await url))
    })
  })

  test('three hubs that start at once on an empty database migrate it once', async () => {
    const url = await postgres.createDatabase('three')
    const stores = await Promise.all([1, 2, 3].map(() => openStore(options(url))))
    expect(await stores[0]?.devices.all()).toEqual([])
    await Promise.all(stores.map((store) => store.close()))
  })

  test('two hubs that write overlapping groups at once do not wait for each other for ever', async () => {
    const url = await postgres.createDatabase('overlap')
    const stores = [await openStore(options(url)), await openStore(options(url))] as const
    const devices = Array.from({ length: 50 }, (_, index) => device(`d-${index}`))
    for (const one of devices) await stores[0].devices.put(one)
    const backwards = devices.toReversed()
    await Promise.all(
      Array.from({ length: 40 }, (_, round) =>
        stores[round % 2 === 0 ? 0 : 1].heartbeats.write(
          (round % 2 === 0 ? devices : backwards).map((one) => beat(one, { seenAt: T0 + round })),
          newDevice,
        ),
      ),
    )
    expect((await stores[1].devices.all()).every(({ lastHeartbeat }) => lastHeartbeat === T0 + 39)).toBe(true)
    await Promise.all(stores.map((store) => store.close()))
  })

  test('a database that a newer hub made is refused', async () => {
    const url = await postgres.createDatabase('newer')
    await (await openStore(options(url))).close()
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    await client.query(`insert into kysely_migration (name, timestamp) values ('9999-from-the-future', '2099-01-01T00:00:00.000Z')`)
    await client.end()
    await expect(openStore(options(url))).rejects.toMatchObject({
      code: 'database_unreachable',
      message: expect.stringContaining('newer hub'),
    })
  })

  test('while the server is away every query says database_down, and afterwards all goes on', async () => {
    const store = await openStore(options(await postgres.createDatabase('outage')))
    await postgres.stop('immediate')
    await expect(store.devices.all()).rejects.toMatchObject({ code: 'database_down' })
    await expect(store.ping()).rejects.toMatchObject({ code: 'database_down' })
    await postgres.start()
    await store.ping()
    expect(await store.devices.all()).toEqual([])
    await store.close()
  })

  test('an address where no database answers, or none of that name, is said in one sentence', async () => {
    await expect(openStore(options('postgresql://nobody@127.0.0.1:1/none'))).rejects.toMatchObject({ code: 'database_unreachable' })
    const url = await postgres.createDatabase('exists')
    await expect(openStore(options(url.replace('exists', 'missing')))).rejects.toMatchObject({
      code: 'database_unreachable',
      message: expect.stringContaining('missing'),
    })
  })
})
