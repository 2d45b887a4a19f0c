import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Beat, type DeviceSettings, isBadValue, type KeyRecord, type Store, type UsageEntry } from '../src/store/index.ts'
import { deviceSettings as device, rotationRecord, T0, usageEntry } from './records.ts'

/** A heartbeat of a device. */
export const beat = (of: { id: string; name: string }, over: Partial<Beat> = {}): Beat => ({
  deviceId: of.id,
  name: of.name,
  isNew: false,
  createdAt: T0,
  seenAt: T0,
  ip: '112.161.54.7',
  ipChanges: 0,
  stints: [],
  ...over,
})

const key = (over: Partial<KeyRecord> = {}): KeyRecord => ({
  id: randomUUID(),
  name: 'a parser',
  scope: 'proxy',
  prefix: 'mp_abcdefgh',
  hash: randomUUID().replaceAll('-', '').repeat(2),
  deviceId: null,
  userId: null,
  createdAt: T0,
  expiresAt: null,
  revokedAt: null,
  lastUsedAt: null,
  rateLimit: null,
  requestsLimit: null,
  requestsUsed: 0,
  requestsSince: T0,
  ...over,
})

const usage = (of: DeviceSettings, over: Partial<UsageEntry> = {}): UsageEntry => usageEntry(of.id, over)

const HOUR = 3_600_000
const ALL = { from: T0 - 100 * 24 * HOUR, to: T0 + 100 * 24 * HOUR, limit: 100 }
const batchOf = (entries: UsageEntry[]) => ({ id: randomUUID(), clientIp: '10.0.0.9', reporter: randomUUID(), receivedAt: T0, entries })

/** What a new device begins with. */
export const newDevice = { rotationInterval: 600, requestsPerMinute: null }

/** The one contract, whichever database is behind it. */
export function storeContract(open: () => Promise<Store>) {
  let store: Store
  const reopen = async (): Promise<void> => {
    await store.close()
    store = await open()
  }
  const find = async (name: string) => (await store.devices.all()).find((candidate) => candidate.name === name)
  beforeAll(async () => {
    store = await open()
  })
  afterAll(() => store.close())

  test('a device comes back as it was put, proxy credentials and unicode included', async () => {
    const seoul = device('서울-01', {
      deviceType: 'android',
      kind: 'agent',
      proxyUrl: 'http://user:p%40ss@10.0.0.5:8080',
      operator: 'МТС',
      region: "O'Fallon; drop table",
      tags: ['farm-1', 'a,b "c" {d}', 'NULL'],
      weight: 2.5,
      methods: ['airplane_mode', 'data_toggle'],
      agentVersion: '1.2.3',
      rotationMethod: 'data_toggle',
      rotationInterval: 300,
      autoRotation: false,
      requestsPerMinute: 100,
      concurrency: 4,
      dataCapBytes: 50_000_000_000,
      dataCapDay: 31,
      maintenance: true,
    })
    expect(await store.devices.put(seoul)).toBe(true)
    await reopen()
    expect(await find('서울-01')).toEqual({
      ...seoul,
      exitIp: null,
      lastHeartbeat: null,
      ipChanges: 0,
      stints: { v4: null, v6: null },
      rotations: { changed: 0, unchanged: 0, failed: 0 },
      lastRotation: null,
      lastIpRotation: null,
      telemetry: null,
      totals: { requests: 0, successful: 0, failed: 0, durationMs: 0 },
      silentSince: null,
    })
  })

  test('putting a device again overwrites it, and a taken name is refused without a trace', async () => {
    const first = device('busan-03')
    await store.devices.put(first)
    await store.devices.put({ ...first, name: 'busan-renamed', region: 'Busan' })
    expect(await find('busan-03')).toBeUndefined()
    expect((await find('busan-renamed'))?.region).toBe('Busan')
    const thief = device('busan-renamed')
    expect(await store.devices.put(thief)).toBe(false)
    expect((await find('busan-renamed'))?.id).toBe(first.id)
    expect((await store.devices.all()).some((candidate) => candidate.id === thief.id)).toBe(false)
  })

  test('removing a device removes what belongs to it, once', async () => {
    const gone = device('gone-01')
    await store.devices.put(gone)
    await store.heartbeats.write([beat(gone, { stints: [{ ip: '1.2.3.4', firstSeen: T0, lastSeen: T0 }] })], newDevice)
    await store.rotations.create([rotationRecord(gone)])
    await store.keys.add(key({ scope: 'device', deviceId: gone.id }))
    expect(await store.devices.remove(gone.id)).toBe(true)
    expect(await store.devices.remove(gone.id)).toBe(false)
    expect((await store.rotations.running()).filter(({ rotation }) => rotation.deviceId === gone.id)).toEqual([])
    expect((await store.keys.all()).filter((candidate) => candidate.deviceId === gone.id)).toEqual([])
  })

  test('a beat of an unknown name makes a pending device with default rotation settings', async () => {
    const name = 'pending-01'
    const id = randomUUID()
    const stint = { ip: '127.10.1.1', firstSeen: T0, lastSeen: T0 }
    await store.heartbeats.write([beat({ id, name }, { isNew: true, ip: '127.10.1.1', stints: [stint] })], {
      rotationInterval: 900,
      requestsPerMinute: 100,
    })
    expect(await find(name)).toMatchObject({
      id,
      kind: 'bare',
      deviceType: 'generic',
      adoptedAt: null,
      rotationInterval: 900,
      requestsPerMinute: 100,
      exitIp: '127.10.1.1',
      lastHeartbeat: T0,
      createdAt: T0,
      stints: { v4: stint, v6: null },
    })
  })

  test('an older beat never overwrites a newer one, and counts never go back', async () => {
    const seoul = device('seoul-01')
    await store.devices.put(seoul)
    await store.heartbeats.write([beat(seoul, { seenAt: T0 + 5_000, ip: '112.161.54.8', ipChanges: 3 })], newDevice)
    await store.heartbeats.write([beat(seoul, { seenAt: T0 + 1_000, ip: '112.161.54.7', ipChanges: 2 })], newDevice)
    expect(await find('seoul-01')).toMatchObject({ exitIp: '112.161.54.8', lastHeartbeat: T0 + 5_000, ipChanges: 3 })
  })

  test('writing the same group twice changes nothing', async () => {
    const moscow = device('moscow-07')
    await store.devices.put(moscow)
    const group = [
      beat(moscow, {
        ip: '2001:db8::2',
        ipChanges: 1,
        stints: [
          { ip: '112.161.54.7', firstSeen: T0, lastSeen: T0 + 1_000 },
          { ip: '2001:db8::2', firstSeen: T0 + 2_000, lastSeen: T0 + 2_000 },
        ],
      }),
    ]
    await store.heartbeats.write(group, newDevice)
    const once = await find('moscow-07')
    await store.heartbeats.write(group, newDevice)
    expect(await find('moscow-07')).toEqual(once)
    expect(once?.stints).toEqual({
      v4: { ip: '112.161.54.7', firstSeen: T0, lastSeen: T0 + 1_000 },
      v6: { ip: '2001:db8::2', firstSeen: T0 + 2_000, lastSeen: T0 + 2_000 },
    })
  })

  test('a beat of a device that is gone is left out, the rest of its group is written', async () => {
    const here = device('here-01')
    await store.devices.put(here)
    await store.heartbeats.write([beat({ id: randomUUID(), name: 'nobody' }), beat(here, { seenAt: T0 + 9_000 })], newDevice)
    expect((await find('here-01'))?.lastHeartbeat).toBe(T0 + 9_000)
    expect(await find('nobody')).toBeUndefined()
  })

  test('a value that is no address is refused as a bad value, and nothing of its group is written', async () => {
    const kazan = device('kazan-02')
    await store.devices.put(kazan)
    const bad = beat({ id: randomUUID(), name: 'bad' }, { isNew: true, ip: 'garbage' })
    const error = await store.heartbeats.write([beat(kazan), bad], newDevice).then(
      () => null,
      (caught: unknown) => caught,
    )
    expect(isBadValue(error)).toBe(true)
    expect((await find('kazan-02'))?.lastHeartbeat).toBeNull()
    expect(await find('bad')).toBeUndefined()
  })

  test('a group of a thousand beats is one write', async () => {
    const many = Array.from({ length: 1_000 }, (_, index) => ({ id: randomUUID(), name: `many-${index}` }))
    await store.heartbeats.write(
      many.map((one) => beat(one, { isNew: true })),
      newDevice,
    )
    expect((await store.devices.all()).filter(({ name, lastHeartbeat }) => name.startsWith('many-') && lastHeartbeat === T0)).toHaveLength(
      1_000,
    )
    for (const { id } of many.slice(0, 3)) await store.devices.remove(id)
  })

  test('a key is found by its hash, and revoked once', async () => {
    const parser = key()
    await store.keys.add(parser)
    await store.keys.add({ ...parser, id: randomUUID(), name: 'the same key again' })
    expect(await store.keys.byHash(parser.hash)).toEqual(parser)
    expect(await store.keys.revoke(parser.id, T0 + 1)).toEqual({ ...parser, revokedAt: T0 + 1 })
    expect((await store.keys.revoke(parser.id, T0 + 2))?.revokedAt).toBe(T0 + 1)
    expect(await store.keys.revoke(randomUUID(), T0)).toBeNull()
  })

  test('a token enrols once; enrolling again replaces the device’s keys', async () => {
    const yerevan = device('yerevan-01', { kind: 'agent' })
    const token = (): { hash: string; name: null; createdAt: number; expiresAt: number } => ({
      hash: key().hash,
      name: null,
      createdAt: T0,
      expiresAt: T0 + 60_000,
    })
    const unused = ({ hash }: { hash: string }) => ({ hash, usedAt: null })
    const first = token()
    await store.enrolment.addToken(first)
    expect(await store.enrolment.usableToken(first.hash, T0 + 1, null)).toEqual(first)
    expect(await store.enrolment.usableToken(first.hash, T0 + 60_000, null)).toBeNull()
    const firstKey = key({ scope: 'device', deviceId: yerevan.id })
    expect(await store.enrolment.enrol(unused(first), yerevan, firstKey, T0 + 1)).toBe('enrolled')
    expect(await store.enrolment.enrol(unused(first), yerevan, key({ scope: 'device', deviceId: yerevan.id }), T0 + 2)).toBe('token_spent')
    const usedOtherwise = { hash: first.hash, usedAt: T0 + 3 }
    expect(await store.enrolment.enrol(usedOtherwise, yerevan, key({ scope: 'device', deviceId: yerevan.id }), T0 + 2)).toBe('token_spent')
    expect(await store.enrolment.usableToken(first.hash, T0 + 2, T0 + 3)).toBeNull()
    expect(await store.enrolment.usableToken(first.hash, T0 + 2, T0 + 1)).toEqual(first)
    const second = token()
    await store.enrolment.addToken(second)
    const secondKey = key({ scope: 'device', deviceId: yerevan.id })
    expect(await store.enrolment.enrol(unused(second), yerevan, secondKey, T0 + 3)).toBe('enrolled')
    expect((await store.keys.byHash(firstKey.hash))?.revokedAt).toBe(T0 + 3)
    expect((await store.keys.byHash(secondKey.hash))?.revokedAt).toBeNull()

    const third = token()
    await store.enrolment.addToken(third)
    const thief = device('yerevan-01', { kind: 'agent' })
    expect(await store.enrolment.enrol(unused(third), thief, key({ scope: 'device', deviceId: thief.id }), T0 + 4)).toBe('name_taken')
    expect(await store.enrolment.usableToken(third.hash, T0 + 5, null)).toEqual(third)
  })

  test('a batch of usage is logged and counted once, by device, hour and site; devices that are gone are left out', async () => {
    const [seoul, moscow] = [device('usage-01'), device('usage-02')]
    for (const one of [seoul, moscow]) await store.devices.put(one)
    const entries = [
      usage(seoul, { at: T0 }),
      usage(seoul, { at: T0 + 1_000, outcome: 'banned', status: 403, attempt: 1, target: null, site: 'bank.com', durationMs: 900 }),
      usage(moscow, { at: T0 + 2_000, outcome: 'tunnel_timeout', status: null, exitIp: null, attempt: 2, bytesIn: 0, error: 'no answer' }),
      usage(seoul, { at: T0 + 3_600_000, bytesIn: 5_000_000_000 }),
      usage(device('gone'), { site: null }),
    ]
    expect(await store.usage.write(batchOf(entries))).toBe(4)
    const again = batchOf([usage(seoul, { at: T0 + 4_000 })])
    expect(await store.usage.write(again)).toBe(1)
    expect(await store.usage.write(again)).toBeNull()

    const hours = await store.statistics.hours({ deviceIds: [seoul.id] }, T0 - HOUR, T0 + 2 * HOUR)
    expect(hours).toEqual([
      {
        ...{ key: seoul.id, hour: T0, requests: 3, successful: 2, banned: 1, failed: 0, durationMs: 1_300, bytesOut: 30, bytesIn: 300 },
        latency: [...Array(14).fill(0), 2, ...Array(6).fill(0), 1],
      },
      {
        ...{ key: seoul.id, hour: T0 + HOUR, requests: 1, successful: 1, banned: 0, failed: 0, durationMs: 200, bytesOut: 10 },
        bytesIn: 5_000_000_000,
        latency: [...Array(14).fill(0), 1],
      },
    ])
    expect((await store.statistics.topSites(T0, T0 + 2 * HOUR, 9)).filter(({ site }) => site === 'bank.com')).toEqual([
      { site: 'bank.com', requests: 1, successful: 0, banned: 1 },
    ])
    const midnight = T0 - 3 * HOUR
    expect(await store.statistics.bytesSince(new Map([[seoul.id, midnight]]))).toEqual(new Map([[seoul.id, 5_000_000_340]]))
    expect(await store.statistics.bytesSince(new Map([[seoul.id, midnight + 24 * HOUR]]))).toEqual(new Map())
    const logged = await store.statistics.log({ ...ALL, deviceIds: [moscow.id] })
    expect(logged).toEqual([{ ...entries[2], id: expect.any(String), deviceName: 'usage-02', clientIp: '10.0.0.9' }])
  })

  test('the log is read from its newest line on, page by page, and outlives its device', async () => {
    const seoul = device('usage-05')
    await store.devices.put(seoul)
    // Two of one moment, and one of another day.
    const times = [T0, T0 + 5, T0 + 5, T0 + 24 * HOUR]
    await store.usage.write(batchOf(times.map((at) => usage(seoul, { at }))))
    await store.devices.remove(seoul.id)
    const seen: number[] = []
    let before: { at: number; id: string } | undefined
    for (;;) {
      const page = await store.statistics.log({ ...ALL, deviceIds: [seoul.id], limit: 1, before })
      const [line] = page
      if (!line) break
      seen.push(line.at)
      before = line
    }
    expect(seen).toEqual(times.toReversed())
  })

  test('two writers of the same batch at once count it once', async () => {
    const seoul = device('usage-03')
    await store.devices.put(seoul)
    const batch = batchOf([usage(seoul)])
    const written = await Promise.all([store.usage.write(batch), store.usage.write(batch), store.usage.write(batch)])
    expect(written.toSorted()).toEqual([1, null, null])
    expect(await store.statistics.log({ ...ALL, deviceIds: [seoul.id] })).toHaveLength(1)
  })

  test('old usage goes, the log by whole days, and a late line gets its day back', async () => {
    const seoul = device('usage-04')
    await store.devices.put(seoul)
    const day = 24 * HOUR
    const old = { ...batchOf([usage(seoul, { at: T0 - 3 * day }), usage(seoul, { at: T0 - day })]), receivedAt: T0 - 3 * day }
    await store.usage.write(old)
    await store.usage.prepare(T0)
    expect(await store.usage.prune({ logs: T0 - 2 * day, stats: T0 - 2 * day, batches: T0 - 2 * day })).toBe(false)
    const times = async () => (await store.statistics.log({ ...ALL, deviceIds: [seoul.id] })).map(({ at }) => at)
    expect(await times()).toEqual([T0 - day])
    expect(await store.statistics.hours({ deviceIds: [seoul.id] }, 0, T0)).toHaveLength(1)
    expect(await store.usage.write(old)).toBe(2)
    expect(await times()).toEqual([T0 - day, T0 - day, T0 - 3 * day])
  })

  test('former addresses are pruned when their time is over, never the one that a device has', async () => {
    const seoul = device('moving-01')
    const day = 24 * HOUR
    await store.devices.put(seoul)
    const stint = (ip: string, from: number, to: number) => ({ ip, firstSeen: T0 + from * day, lastSeen: T0 + to * day })
    const stints = [
      stint('1.1.1.1', -9, -8),
      stint('2.2.2.2', -8, -4),
      stint('1.1.1.1', -4, -3),
      stint('2001:db8::1', -9, -9),
      stint('3.3.3.3', -3, -3),
    ]
    await store.heartbeats.write([beat(seoul, { ip: '3.3.3.3', stints })], newDevice)
    const known = async () =>
      (await store.ipHistory.list({ deviceId: seoul.id, limit: 10, after: null, now: T0 })).map(({ ip, firstSeen, before }) => [
        ip,
        (firstSeen - T0) / day,
        before?.times ?? 0,
      ])
    expect(await store.ipHistory.prune(T0 - 5 * day)).toBe(false)
    expect(await known()).toEqual([
      ['3.3.3.3', -3, 0],
      ['1.1.1.1', -4, 0],
      ['2.2.2.2', -8, 0],
      ['2001:db8::1', -9, 0],
    ])
    expect(await store.ipHistory.prune(T0)).toBe(false)
    expect((await known()).map(([ip]) => ip)).toEqual(['3.3.3.3', '2001:db8::1'])
  })

  test('of a quarantine the later end stays; it is lifted, and gone when it is over', async () => {
    const pair = { exitIp: '112.161.54.7', site: 'shop.com' }
    const other = { exitIp: '2001:db8::7', site: 'сайт.рф', until: T0 + 5_000, rule: null }
    await store.quarantines.put([{ ...pair, until: T0 + 9_000, rule: 'cloudflare' }, other], T0)
    await store.quarantines.put([{ ...pair, until: T0 + 1_000, rule: null }], T0)
    expect(await store.quarantines.live(T0, 10)).toEqual([{ ...pair, until: T0 + 9_000, rule: 'cloudflare' }, other])
    expect(await store.quarantines.live(T0, 1)).toHaveLength(1)
    await store.quarantines.remove([pair, { exitIp: '1.1.1.1', site: 'nobody.com' }])
    expect(await store.quarantines.live(T0, 10)).toEqual([other])
    await store.quarantines.prune(T0 + 5_000)
    await reopen()
    expect(await store.quarantines.live(0, 10)).toEqual([])
  })

  test('the pulse is the latest one', async () => {
    await store.pulse.beat(T0)
    await store.pulse.beat(T0 + 10_000)
    await reopen()
    expect(await store.pulse.last()).toBe(T0 + 10_000)
  })
}
