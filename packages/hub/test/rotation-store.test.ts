import { randomUUID } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type AttemptRecord, type DeviceSettings, openStore, type RotationRecord, type Store } from '../src/store/index.ts'
import { startPostgres, type TestPostgres } from './postgres.ts'
import { deviceSettings, rotationRecord, T0 } from './records.ts'

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

const SECRET = 'the operator’s own secret'
const LINK = 'https://provider.example/changeip/correct-horse/{token}'

const attempt = (of: RotationRecord, over: Partial<AttemptRecord> = {}): AttemptRecord => ({
  id: of.id,
  rotationId: of.id,
  number: 1,
  cause: 'asked',
  method: null,
  outcome: null,
  oldIp: '112.161.54.7',
  newIp: null,
  reason: null,
  detail: null,
  before: { v4: '112.161.54.7', v6: '2001:db8:1:2::5', probed: '112.161.54.9' },
  startedAt: T0,
  calledAt: null,
  endedAt: null,
  ...over,
})

/** The one contract, whichever database is behind it. */
function contract(open: () => Promise<Store>) {
  let store: Store
  const reopen = async (): Promise<void> => {
    await store.close()
    store = await open()
  }
  const find = async (name: string) => (await store.devices.all()).find((candidate) => candidate.name === name)
  const add = async (name: string, over: Partial<DeviceSettings> = {}): Promise<DeviceSettings> => {
    const device = deviceSettings(name, over)
    await store.devices.put(device)
    return device
  }
  const runningOf = async (device: DeviceSettings) =>
    (await store.rotations.running()).filter(({ rotation }) => rotation.deviceId === device.id)
  beforeAll(async () => {
    store = await open()
  })
  afterAll(() => store.close())

  test('how a device is rotated comes back as it was set, and can be taken away again', async () => {
    const set: Partial<DeviceSettings> = {
      rotationUrl: LINK,
      rotationToken: 't0ken-of-the-provider',
      rotationHttpMethod: 'POST',
      rotationHeaders: { 'x-api-key': 'header-secret' },
      rotationBody: '{"key":"{token}","имя":"{device}"}',
      rotationSuccessPattern: '"ok": ?1',
      rotationAttempts: 5,
      rotationRetryDelay: 0,
      rotationMaxTime: 90,
      rotationUnique: '24h',
    }
    const sochi = await add('sochi-01', set)
    await reopen()
    expect(await find('sochi-01')).toMatchObject(set)
    await store.devices.put({ ...sochi, rotationUrl: null, rotationHeaders: null })
    expect(await find('sochi-01')).toMatchObject({ rotationUrl: null, rotationHeaders: null, rotationToken: 't0ken-of-the-provider' })
  })

  test('a device has one running rotation at a time, in the database', async () => {
    const [omsk, tomsk] = [await add('omsk-05'), await add('tomsk-01')]
    const first = rotationRecord(omsk, { comment: '403 from example.com', requestedMethod: 'airplane_mode', uniqueWithin: '24h' })
    expect(await store.rotations.create([first])).toEqual(new Set([first.id]))
    const other = rotationRecord(tomsk)
    expect(await store.rotations.create([rotationRecord(omsk), other])).toEqual(new Set([other.id]))
    await reopen()
    expect(await runningOf(omsk)).toEqual([{ rotation: first, attempt: null }])
    await store.rotations.save({ ...first, state: 'failed', reason: 'canceled', endedAt: T0 + 1 })
    expect((await store.rotations.create([rotationRecord(omsk)])).size).toBe(1)
  })

  test('an ended rotation is counted once and stays as it ended', async () => {
    const tula = await add('tula-01')
    const running = rotationRecord(tula, { state: 'draining', startedAt: T0 + 10, deadlineAt: T0 + 60_000, attempt: 1 })
    await store.rotations.create([running])
    const ended: RotationRecord = { ...running, state: 'changed', method: 'data_toggle', newIp: '112.161.54.8', endedAt: T0 + 20_000 }
    await store.rotations.save(ended)
    await store.rotations.save({ ...ended, state: 'failed', reason: 'deadline_exceeded' })
    expect(await store.rotations.byId(running.id)).toEqual(ended)
    expect(await find('tula-01')).toMatchObject({
      rotations: { changed: 1, unchanged: 0, failed: 0 },
      lastIpRotation: T0 + 20_000,
      lastRotation: { outcome: 'changed', trigger: 'forced', reason: null, endedAt: T0 + 20_000, durationMs: 20_000 },
    })
  })

  test('attempts are written with the steps of their rotation, and found by their own ids', async () => {
    const pskov = await add('pskov-01')
    const rotation = rotationRecord(pskov)
    await store.rotations.create([rotation])
    const first = attempt(rotation)
    const began: RotationRecord = { ...rotation, state: 'draining', attempt: 1, startedAt: T0, deadlineAt: T0 + 60_000 }
    await store.rotations.save(began, first)
    await reopen()
    expect(await runningOf(pskov)).toEqual([{ rotation: began, attempt: first }])
    const over = attempt(rotation, {
      calledAt: T0 + 10_000,
      outcome: 'unchanged',
      newIp: '112.161.54.7',
      method: 'data_toggle',
      endedAt: T0 + 30_000,
    })
    const waits: RotationRecord = {
      ...began,
      state: 'queued',
      deadlineAt: null,
      notBefore: T0 + 40_000,
      detail: 'Attempt 1 of 3: unchanged.',
    }
    await store.rotations.save(waits, over)
    expect(await runningOf(pskov)).toEqual([{ rotation: waits, attempt: over }])
    const second = attempt(rotation, { id: randomUUID(), number: 2, cause: 'retry', startedAt: T0 + 40_000 })
    await store.rotations.save({ ...waits, state: 'draining', attempt: 2 }, second)
    expect(await store.rotations.attempts(rotation.id)).toEqual([over, second])
    expect(await store.rotations.byAttempt(second.id)).toMatchObject({ id: rotation.id, attempt: 2 })
    expect(await store.rotations.byAttempt(randomUUID())).toBeNull()
  })

  test('rotations are listed newest first, page by page, and counted by batch', async () => {
    const perm = await add('perm-01')
    const batchId = randomUUID()
    const ids: string[] = []
    for (let n = 0; n < 5; n++) {
      const at = T0 + 1_000_000 + Math.floor((n + 1) / 2)
      const one = rotationRecord(perm, { state: n === 0 ? 'failed' : 'unchanged', batchId, createdAt: at, endedAt: at })
      await store.rotations.create([one])
      ids.push(one.id)
    }
    const page = async (after?: string) => (await store.rotations.newest({ deviceId: perm.id, limit: 2, after })).map(({ id }) => id)
    const first = await page()
    const second = await page(first.at(-1))
    const third = await page(second.at(-1))
    expect(new Set([...first, ...second, ...third])).toEqual(new Set(ids))
    expect([first.length, second.length, third.length]).toEqual([2, 2, 1])
    expect(third).toEqual([(await store.rotations.newest({ deviceId: perm.id, state: 'failed', limit: 9 }))[0]?.id])
    expect(await store.rotations.newest({ deviceId: perm.id, state: 'failed', limit: 9 })).toHaveLength(1)
    expect(await store.rotations.newest({ deviceId: perm.id, trigger: 'link', limit: 9 })).toEqual([])
    expect(await store.rotations.newest({ batchId, limit: 9 })).toHaveLength(5)
    expect(await store.rotations.counts(batchId)).toEqual({ failed: 1, unchanged: 4 })
    expect(await store.rotations.byId(randomUUID())).toBeNull()
  })

  test('an exit IP that was seen is told with the time; the stretch that has just begun does not count', async () => {
    const [kirov, tver] = [await add('kirov-01'), await add('tver-09')]
    const beat = (of: DeviceSettings, ip: string, firstSeen: number, lastSeen: number) => ({
      deviceId: of.id,
      name: of.name,
      isNew: false,
      createdAt: T0,
      seenAt: lastSeen,
      ip,
      ipChanges: 0,
      stints: [{ ip, firstSeen, lastSeen }],
    })
    const config = { rotationInterval: 600, requestsPerMinute: null }
    await store.heartbeats.write([beat(tver, '198.51.100.7', T0 - 10_000, T0 - 5_000)], config)
    await store.heartbeats.write([beat(kirov, '198.51.100.8', T0 + 5_000, T0 + 6_000)], config)
    await store.heartbeats.write([beat(kirov, '2001:db8:1:2::5', T0 - 10_000, T0 - 4_000)], config)
    expect(await store.rotations.lastSeen('198.51.100.7', T0 - 6_000, T0)).toBe(T0 - 5_000)
    expect(await store.rotations.lastSeen('198.51.100.7', T0 - 4_000, T0)).toBeNull()
    expect(await store.rotations.lastSeen('198.51.100.8', T0 - 60_000, T0)).toBeNull()
    expect(await store.rotations.lastSeen('2001:db8:1:2:3:4:5:6', T0 - 60_000, T0)).toBe(T0 - 4_000)
    expect(await store.rotations.lastSeen('2001:db8:1:3::5', T0 - 60_000, T0)).toBeNull()
  })

  test('a rotation link is revoked once, by its device only, and counts its uses', async () => {
    const [kursk, other] = [await add('kursk-01'), await add('kursk-02')]
    const link = { id: randomUUID(), deviceId: kursk.id, name: 'Anna', createdAt: T0, revokedAt: null, lastUsedAt: null, usedCount: 0 }
    await store.rotationLinks.create(link)
    await store.rotationLinks.noteUse(link.id, T0 + 1)
    await store.rotationLinks.noteUse(link.id, T0 + 2)
    expect(await store.rotationLinks.ofDevice(kursk.id)).toEqual([{ ...link, lastUsedAt: T0 + 2, usedCount: 2 }])
    expect(await store.rotationLinks.revoke(other.id, link.id, T0 + 3)).toBe(false)
    expect(await store.rotationLinks.revoke(kursk.id, link.id, T0 + 3)).toBe(true)
    expect(await store.rotationLinks.revoke(kursk.id, link.id, T0 + 4)).toBe(false)
    expect(await store.rotationLinks.byId(link.id)).toMatchObject({ revokedAt: T0 + 3 })
    expect(await store.rotationLinks.ofDevice(kursk.id)).toEqual([])
    await store.devices.remove(kursk.id)
    expect(await store.rotationLinks.byId(link.id)).toBeNull()
  })
}

describe('the embedded database', () => {
  let dataDir: string
  const options = () => ({ dataDir, databaseUrl: null, databasePoolSize: 10, secretKey: SECRET })
  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'mobilepool-rotations-'))
  })
  afterAll(() => rm(dataDir, { recursive: true, force: true }))

  describe('keeps the contract', () => contract(() => openStore(options())))

  test('nothing of a rotation URL, its token, headers or body is in any file of the folder', async () => {
    for (const entry of await readdir(dataDir, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const bytes = await readFile(join(entry.parentPath, entry.name))
      for (const secret of ['correct-horse', 't0ken-of-the-provider', 'header-secret', '"key":"{token}"'])
        expect(bytes.includes(secret), `${secret} in ${entry.name}`).toBe(false)
    }
  })
})

describe('Postgres', () => {
  let postgres: TestPostgres
  let dataDir: string
  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'mobilepool-rotations-'))
    postgres = await startPostgres()
  })
  afterAll(async () => {
    await postgres.close()
    await rm(dataDir, { recursive: true, force: true })
  })

  describe('keeps the contract', () => {
    let url: Promise<string> | undefined
    contract(async () => {
      url ??= postgres.createDatabase('contract')
      return openStore({ dataDir, databaseUrl: await url, databasePoolSize: 5, secretKey: SECRET })
    })
  })
})
