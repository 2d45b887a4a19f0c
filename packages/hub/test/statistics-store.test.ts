import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kysely, PostgresDialect } from 'kysely'
import { Migrator } from 'kysely/migration'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { openStore, type Store, type UsageEntry } from '../src/store/index.ts'
import { migrations } from '../src/store/migrations/index.ts'
import { OTHER_SITES, SITES_AN_HOUR } from '../src/store/site-room.ts'
import { startPostgres, type TestPostgres } from './postgres.ts'
import { deviceSettings, T0, usageEntry } from './records.ts'

/** initdb in WebAssembly takes 3 s alone, and many times that beside other work. */
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

const HOUR = 3_600_000
const DAY = 24 * HOUR
const MIDNIGHT = Math.floor(T0 / DAY) * DAY
const newDevice = { rotationInterval: 600, requestsPerMinute: null }

const usage = (deviceId: string, over: Partial<UsageEntry> = {}): UsageEntry =>
  usageEntry(deviceId, { exitIp: null, target: null, site: null, bytesOut: 1, bytesIn: 10, durationMs: 100, ...over })

/** The one contract, whichever database is behind it. */
function contract(open: () => Promise<Store>) {
  let store: Store
  const write = (entries: UsageEntry[], receivedAt = T0) =>
    store.usage.write({ id: randomUUID(), clientIp: '10.0.0.9', reporter: randomUUID(), receivedAt, entries })
  const device = async (name: string) => {
    const settings = deviceSettings(name)
    await store.devices.put(settings)
    return settings
  }
  beforeAll(async () => {
    store = await open()
  })
  afterAll(() => store.close())

  test('sums of any range are those of its hours, whether days or hours are read', async () => {
    const [seoul, busan] = [await device('sums-01'), await device('sums-02')]
    // One an hour through seoul for four days, one a day through busan; the second reporter's lines count as well.
    const hours = Array.from({ length: 96 }, (_, hour) => usage(seoul.id, { at: MIDNIGHT + hour * HOUR, durationMs: 100 + hour }))
    await write(hours)
    await write([0, 1, 2, 3].map((day) => usage(busan.id, { at: MIDNIGHT + day * DAY + HOUR, outcome: 'banned' })))
    const deviceIds = [seoul.id, busan.id]
    for (const [first, end] of [
      [0, 96],
      [0, 24],
      [5, 20],
      [5, 30],
      [5, 75],
      [23, 73],
      [24, 72],
      [95, 96],
    ] as const) {
      const range = { from: MIDNIGHT + first * HOUR, to: MIDNIGHT + end * HOUR, deviceIds, hasLatency: true }
      const sums = await store.statistics.deviceSums(range)
      const one = sums.get(seoul.id)
      expect([first, end, one?.requests, one?.successful, one?.bytesIn]).toEqual([first, end, end - first, end - first, 10 * (end - first)])
      expect(one?.latency.reduce((sum, count) => sum + count, 0)).toBe(end - first)
      const bans = [0, 1, 2, 3].filter((day) => day * 24 + 1 >= first && day * 24 + 1 < end).length
      expect(sums.get(busan.id)?.banned ?? 0).toBe(bans)
    }
    expect(await store.statistics.deviceSums({ from: 0, to: MIDNIGHT, deviceIds, hasLatency: true })).toEqual(new Map())
  })

  test('a crawl through any number of hosts takes bounded room, and does not hide the sites of the hour before', async () => {
    const seoul = await device('crawler-01')
    const hour = MIDNIGHT + 40 * DAY
    const crawl = (from: number, at: number) =>
      Array.from({ length: 2_000 }, (_, n) => usage(seoul.id, { site: `h${from + n}.example`, at }))
    await write([usage(seoul.id, { site: 'shop.com', at: hour })])
    await write(crawl(0, hour))
    await write(crawl(2_000, hour))
    await write(crawl(10_000, hour + HOUR))
    await write([usage(seoul.id, { site: 'shop.com', at: hour + HOUR }), usage(seoul.id, { site: 'late.com', at: hour + HOUR })])
    const sites = await store.statistics.topSites(hour, hour + HOUR, 10_000)
    expect(sites.length).toBeLessThanOrEqual(SITES_AN_HOUR + 1)
    expect(sites.length).toBeGreaterThan(SITES_AN_HOUR / 4)
    expect(sites.reduce((sum, { requests }) => sum + requests, 0)).toBe(4_001)
    expect(sites[0]?.site).toBe(OTHER_SITES)
    const next = (await store.statistics.topSites(hour + HOUR, hour + 2 * HOUR, 10_000)).map(({ site }) => site)
    expect(next).toContain('shop.com')
    expect(next).not.toContain('late.com')
    const total = await store.statistics.hours({ sites: [''] }, hour, hour + HOUR)
    expect(total[0]?.requests).toBe(4_001)
  })

  test('an address that a device still has is within a range that began after it', async () => {
    const { id, name } = await device('exits-01')
    const stint = (ip: string, from: number, to: number) => ({ ip, firstSeen: MIDNIGHT + from * HOUR, lastSeen: MIDNIGHT + to * HOUR })
    const beat = { deviceId: id, name, isNew: false, createdAt: T0, ip: '112.161.54.8', ipChanges: 2 }
    const stints = [
      stint('112.161.54.7', 0, 1),
      stint('112.161.54.8', 1, 2),
      stint('112.161.54.7', 2, 3),
      stint('112.161.54.8', 3, 3),
      stint('2001:db8::1', 0, 4),
    ]
    await store.heartbeats.write([{ ...beat, seenAt: MIDNIGHT + 50 * HOUR, stints }], newDevice)
    const exits = async (from: number, to: number) => {
      const range = { from: MIDNIGHT + from * HOUR, to: MIDNIGHT + to * HOUR, deviceIds: [id], limit: 10, offset: 0 }
      const found = await store.statistics.exits(range)
      return [found.unique, found.repeated, ...found.exits.map(({ exit, stints: times }) => `${exit} ${times}`)]
    }
    expect(await exits(0, 10)).toEqual([3, 2, '112.161.54.7 2', '112.161.54.8 2', '2001:db8::/64 1'])
    expect(await exits(48, 49)).toEqual([1, 0, '112.161.54.8 1'])
    expect(await exits(60, 61)).toEqual([0, 0])
    expect(await exits(1, 3)).toEqual([3, 1, '112.161.54.7 2', '112.161.54.8 1', '2001:db8::/64 1'])
    const pages = await store.statistics.stints({ from: MIDNIGHT, to: MIDNIGHT + DAY, deviceIds: [id], limit: 2 })
    expect(pages.map(({ ip, lastSeen }) => [ip, (lastSeen - MIDNIGHT) / HOUR])).toEqual([
      ['112.161.54.8', 50],
      ['112.161.54.7', 3],
    ])
    const rest = await store.statistics.stints({ from: MIDNIGHT, to: MIDNIGHT + DAY, deviceIds: [id], before: pages[1], limit: 9 })
    expect(rest).toHaveLength(3)
  })
}

describe('the embedded database', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mobilepool-statistics-'))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))
  contract(() => openStore({ dataDir: folder, databaseUrl: null, databasePoolSize: 4, secretKey: 'secret' }))
})

describe('Postgres', () => {
  let postgres: TestPostgres
  let folder: string
  beforeAll(async () => {
    postgres = await startPostgres()
    folder = await mkdtemp(join(tmpdir(), 'mobilepool-statistics-'))
  })
  afterAll(async () => {
    await postgres.close()
    await rm(folder, { recursive: true, force: true })
  })
  const open = (databaseUrl: string) => openStore({ dataDir: folder, databaseUrl, databasePoolSize: 4, secretKey: 'secret' })
  describe('keeps the contract', () => contract(async () => open(await postgres.createDatabase('statistics'))))

  test('lines and sums that an older hub wrote are there after the update, in hours, days and months', async () => {
    const url = await postgres.createDatabase('older')
    const pool = new pg.Pool({ connectionString: url, max: 2 })
    const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) })
    const id = randomUUID()
    try {
      const { error } = await new Migrator({ db, provider: migrations }).migrateTo('0004-devices')
      expect(error).toBeUndefined()
      const stamp = (time: number) => new Date(time).toISOString()
      await pool.query(
        `insert into proxy_devices (id, name, kind, device_type, created_at, updated_at) values ($1, 'old-01', 'bare', 'generic', now(), now())`,
        [id],
      )
      const logs = `insert into request_logs (device_id, client_ip, target_url, method, status_code, response_time_ms, external_ip,
        request_size, response_size, outcome, attempt, created_at) values ($1, '10.0.0.9', 'shop.com/a', 'GET', 200, 120, '112.161.54.7', 1, 10, 'answered', 1, $2)`
      for (const time of [MIDNIGHT - 40 * DAY, T0, T0 + 1, T0 + HOUR]) await pool.query(logs, [id, stamp(time)])
      const sums = `insert into usage_stats (device_id, hour, requests_count, successful_requests, banned_requests, failed_requests,
        response_time_ms_sum, request_bytes, response_bytes) values ($1, $2, $3, $3, 0, 0, 120, 1, 10)`
      await pool.query(sums, [id, stamp(T0), 2])
      await pool.query(sums, [id, stamp(T0 + HOUR), 1])
    } finally {
      await db.destroy()
    }
    const store = await open(url)
    try {
      const lines = await store.statistics.log({ from: 0, to: T0 + DAY, limit: 10 })
      expect(lines.map(({ at }) => at)).toEqual([T0 + HOUR, T0 + 1, T0, MIDNIGHT - 40 * DAY])
      expect(lines[0]).toMatchObject({
        deviceId: id,
        deviceName: 'old-01',
        clientIp: '10.0.0.9',
        exitIp: '112.161.54.7',
        target: 'shop.com/a',
        site: null,
        session: null,
        status: 200,
        bytesIn: 10,
        durationMs: 120,
      })
      const fleet = await store.statistics.hours({ sites: [''] }, 0, T0 + DAY)
      expect(fleet.map(({ hour, requests }) => [hour, requests])).toEqual([
        [T0, 2],
        [T0 + HOUR, 1],
      ])
      const day = { from: MIDNIGHT, to: MIDNIGHT + DAY, hasLatency: true }
      expect((await store.statistics.deviceSums(day)).get(id)).toMatchObject({ requests: 3, bytesIn: 20 })
      expect(await store.statistics.bytesSince(new Map([[id, MIDNIGHT]]))).toEqual(new Map([[id, 22]]))
      await store.usage.write({ id: randomUUID(), clientIp: '10.0.0.9', reporter: id, receivedAt: T0, entries: [usage(id)] })
      expect((await store.statistics.deviceSums(day)).get(id)).toMatchObject({ requests: 4, bytesIn: 30 })
      expect(await store.statistics.log({ from: 0, to: T0 + DAY, reporter: id, limit: 10 })).toHaveLength(1)
    } finally {
      await store.close()
    }
  })
})
