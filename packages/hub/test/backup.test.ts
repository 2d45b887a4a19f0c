import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { keyRecord } from '../src/auth/key.ts'
import { newPendingDevice, settingsOf } from '../src/fleet/device.ts'
import { openStore, restoreStore, type Store } from '../src/store/index.ts'
import { sharedPostgres } from './hub.ts'

/** initdb in WebAssembly takes 3 s alone, and many times that beside other work. */
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

const T0 = Date.parse('2026-11-22T03:00:00.123Z')
const secretKey = 'a secret key of the tests'
let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'mobilepool-backup-'))
})
afterAll(() => rm(dir, { recursive: true }))

const embedded = (name: string) => ({ dataDir: join(dir, name), databaseUrl: null, databasePoolSize: 2, secretKey })
const onPostgres = async (name: string) => ({
  dataDir: join(dir, name),
  databaseUrl: await sharedPostgres().createDatabase(name),
  databasePoolSize: 2,
  secretKey,
})

const entry = (n: number) => ({
  at: T0 + n,
  actorKind: 'cli' as const,
  actorId: null,
  actorName: null,
  address: n % 2 === 0 ? '2001:db8::1' : null,
  action: 'x',
  method: null,
  route: null,
  subject: String(n),
  status: n,
  fields: ['a', 'b'],
  requestId: null,
})

/** Something in each of many tables, with every kind of value. */
async function fill(store: Store): Promise<void> {
  const device = settingsOf(newPendingDevice(randomUUID(), '서울-01', T0, { rotationInterval: 600, requestsPerMinute: null }))
  await store.devices.put({ ...device, proxyUrl: 'http://u:p%40ss@10.0.0.5:8080', tags: ['a,b "c"', 'NULL'], weight: 0.1, adoptedAt: T0 })
  const key = { id: randomUUID(), name: 'агент', scope: 'device' as const, deviceId: device.id, createdAt: T0 }
  await store.keys.add(keyRecord(`mp_${randomUUID()}`, key))
  await store.audit.add(Array.from({ length: 1_234 }, (_, n) => entry(n)))
  await store.settings.put(new Map([['MAX_DEVICES', { value: 7, type: 'integer', description: 'x' }]]))
  await store.pulse.beat(T0)
}

async function linesOf(store: Store): Promise<string[]> {
  const lines: string[] = []
  for await (const line of store.dump()) lines.push(line)
  return lines
}

/** Rows without their order, and without what differs by nature. */
const rows = (lines: readonly string[]): string[] =>
  lines
    .slice(1)
    .map((line) => line.replaceAll(/\+00:00|\+00(?=")/g, 'Z'))
    .toSorted((a, b) => (a < b ? -1 : 1))

async function* from(lines: readonly string[]): AsyncGenerator<string> {
  yield* lines
}

test('a backup goes from the embedded database to Postgres and back without a difference, and numbers go on', async () => {
  const first = await openStore(embedded('one'))
  await fill(first)
  const original = await linesOf(first)
  await first.close()

  const postgres = await onPostgres('backup_two')
  expect(await restoreStore(postgres, from(original), false)).toMatchObject({ rows: original.length - 2 })
  const second = await openStore(postgres)
  const copied = await linesOf(second)
  expect(rows(copied)).toEqual(rows(original))
  expect((await second.devices.all())[0]).toMatchObject({ name: '서울-01', proxyUrl: 'http://u:p%40ss@10.0.0.5:8080', weight: 0.1 })
  await second.close()

  await restoreStore(embedded('three'), from(copied), false)
  const third = await openStore(embedded('three'))
  expect(rows(await linesOf(third))).toEqual(rows(original))
  const [before] = await third.audit.newest({ limit: 1 })
  await third.audit.add([entry(1)])
  const [after] = await third.audit.newest({ limit: 1 })
  expect(after?.id).toBe((before?.id ?? 0) + 1)
  await third.close()
})

test('a restore refuses what would lose something, and leaves the database as it was', async () => {
  const options = await onPostgres('backup_four')
  const store = await openStore(options)
  await fill(store)
  const lines = await linesOf(store)
  await store.close()
  const refusal = (into: typeof options, given: readonly string[], force = false) => restoreStore(into, from(given), force)
  await expect(refusal(options, lines)).rejects.toMatchObject({ code: 'database_not_empty', message: expect.stringContaining('--force') })
  const reopened = await openStore(options)
  expect(await linesOf(reopened)).toHaveLength(lines.length)
  await reopened.close()
  expect(await refusal(options, lines, true)).toMatchObject({ rows: lines.length - 2 })

  const empty = await onPostgres('backup_five')
  const header = JSON.parse(lines[0] ?? '') as Record<string, unknown>
  const cases: [readonly string[], string, RegExp][] = [
    [lines.slice(0, -1), 'backup_unusable', /ends in the middle/],
    [[...lines.slice(0, 5), lines.at(-1) ?? ''], 'backup_unusable', /holds 4 rows instead of/],
    [[JSON.stringify({ ...header, migration: '9999-later' }), ...lines.slice(1)], 'backup_unusable', /newer hub \(9999-later\)/],
    [['{"format":"something else"}'], 'backup_unusable', /no backup of a hub/],
    [['not JSON'], 'backup_unusable', /not JSON/],
  ]
  for (const [given, code, message] of cases)
    await expect(refusal(empty, given)).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
  await expect(refusal({ ...empty, secretKey: 'another secret key' }, lines)).rejects.toMatchObject({ code: 'secret_key_wrong' })
  expect(await refusal(empty, lines)).toMatchObject({ rows: lines.length - 2 })
})

test('a backup of an older hub is restored in its shape and migrated', async () => {
  const options = await onPostgres('backup_six')
  const older = [
    { format: 'mobilepool-backup', version: 1, migration: '0002-usage-and-bans', created_at: '2026-11-01T00:00:00.000Z', partitions: [] },
    {
      t: 'api_keys',
      r: {
        id: randomUUID(),
        name: 'old',
        scope: 'proxy',
        prefix: 'mp_old',
        key_hash: 'a'.repeat(64),
        device_id: null,
        created_at: '2026-11-01T00:00:00+00:00',
        revoked_at: null,
      },
    },
    { end: true, rows: 1 },
  ].map((line) => JSON.stringify(line))
  // Without the check of the secret key, as a hub of that time that was never started has it.
  await expect(restoreStore(options, from(older), false)).resolves.toMatchObject({ rows: 1 })
  const store = await openStore(options)
  expect(await store.keys.all()).toMatchObject([{ name: 'old', requestsUsed: 0, expiresAt: null }])
  await store.close()
})
