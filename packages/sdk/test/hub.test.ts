import type { MobilePool } from '@mobilepool/sdk'
import { beforeEach, describe, expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import type { FakeHub } from './servers/fake-hub.ts'
import type { FaultyProxy } from './servers/faulty-proxy.ts'
import type { Origin, SeenRequest } from './servers/origin.ts'
import { collect, Stage } from './stage.ts'

const stage = new Stage()

let hub: FakeHub
let origin: Origin
beforeEach(async () => {
  hub = await stage.hub()
  origin = await stage.origin()
})

const open = (options: object = {}): MobilePool => stage.open({ hub: { url: hub.url, token: hub.token }, ...options })

const exitOf = async (response: Response): Promise<string> => ((await response.json()) as SeenRequest).remoteAddress
const put = (name: string, proxy: FaultyProxy, more: object = {}) => hub.put(name, { proxy_url: proxy.url, exit_ip: proxy.egress, ...more })
const stateOf = (pool: MobilePool, name: string) => pool.stats().devices.find((device) => device.name === name)?.state

describe('the fleet', () => {
  test('comes from the hub; a request that was there first waits for it', async () => {
    const seoul = await stage.device('seoul-01')
    put('seoul-01', seoul)
    const pool = open()
    const response = await pool.fetch(origin.url)
    expect([response.headers.get('x-mobilepool-device'), response.headers.get('x-mobilepool-ip')]).toEqual(['seoul-01', seoul.egress])
    expect(await exitOf(response)).toBe(seoul.egress)
    await eventually('the stream is open', () => hub.streams === 1)
    expect(hub.requests.slice(0, 2)).toEqual(['GET /api/v1/proxy/list', 'GET /api/v1/events'])
  })

  test('changes as the hub tells: devices come, go offline, move, are removed', async () => {
    const [seoul, moscow] = [await stage.device('seoul-01'), await stage.device('moscow-07')]
    put('seoul-01', seoul)
    const pool = open()
    await (await pool.fetch(origin.url)).text()
    await eventually('the stream is open', () => hub.streams === 1)
    put('moscow-07', moscow)
    hub.put('seoul-01', { status: 'offline' })
    await eventually('the pool knows', () => stateOf(pool, 'seoul-01') === 'offline')
    expect(await exitOf(await pool.fetch(origin.url))).toBe(moscow.egress)
    hub.put('moscow-07', { proxy_url: seoul.url })
    await eventually('it moved', () => moscow.sockets.size === 0)
    expect(await exitOf(await pool.fetch(origin.url))).toBe(seoul.egress)
    hub.remove('moscow-07')
    await eventually('it is gone', () => pool.stats().devices.length === 1)
    const waiting = pool.fetch(origin.url)
    await eventually('the request waits', () => pool.stats().requests.queued === 1)
    hub.put('seoul-01', { status: 'online' })
    expect(await exitOf(await waiting)).toBe(seoul.egress)
  })

  test.each([
    ['the owner’s hold, above the defaults too', { concurrency: 20, requests_per_minute: 300 }, {}, [20, 300]],
    [
      'what the pool asks for holds where it is stricter',
      { concurrency: 20, requests_per_minute: 30 },
      { concurrency: 2, requestsPerMinute: 60 },
      [2, 30],
    ],
    ['and gives way where it is not', { concurrency: 3, requests_per_minute: 300 }, { concurrency: 5, requestsPerMinute: 60 }, [3, 60]],
    ['the pool’s hold for what the owner left open', { concurrency: null, requests_per_minute: 30 }, { concurrency: 4 }, [4, 30]],
    ['no limits of its own', {}, { requestsPerMinute: 60 }, [10, 60]],
  ])('keeps to its limits: %s', async (_name, owners, perDevice, [concurrency, requestsPerMinute]) => {
    put('seoul-01', await stage.device('seoul-01'), owners)
    const pool = open({ perDevice })
    await eventually('the device is known', () => pool.stats().devices.length === 1)
    expect(pool.stats().devices[0]?.limits).toMatchObject({ concurrency, requestsPerMinute })
    await eventually('the stream is open', () => hub.streams === 1)
    hub.put('seoul-01', { concurrency: 1, requests_per_minute: 10 })
    await eventually('a change holds', () => pool.stats().devices[0]?.limits.concurrency === 1)
  })

  test.each(['offline', 'maintenance', 'pending', 'rotating'] as const)(
    'a device that is %s gets nothing; nor does one that cannot be reached',
    async (status) => {
      const [seoul, moscow] = [await stage.device('seoul-01'), await stage.device('moscow-07')]
      put('moscow-07', moscow, { status })
      hub.put('kazan-02', { proxy_url: null })
      put('seoul-01', seoul)
      const pool = open()
      for (let i = 0; i < 4; i++) expect(await exitOf(await pool.fetch(origin.url))).toBe(seoul.egress)
      expect(moscow.counts.connections).toBe(0)
    },
  )

  test('a device that is busy at the hub’s gateway serves this pool', async () => {
    const moscow = await stage.device('moscow-07')
    put('moscow-07', moscow, { status: 'busy' })
    expect(await exitOf(await open().fetch(origin.url))).toBe(moscow.egress)
  })

  test('a filter takes a part of it, whatever the case of the letters', async () => {
    const [seoul, moscow] = [await stage.device('seoul-01'), await stage.device('moscow-07')]
    put('seoul-01', seoul, { operator: 'SKT', tags: ['farm-1'] })
    put('moscow-07', moscow, { operator: 'MTS', region: 'Moscow', tags: ['farm-1', 'fast'] })
    const pool = open({ filter: { operator: ['mts', 'beeline'], region: 'moscow', type: 'android', tags: ['fast'] } })
    expect(await exitOf(await pool.fetch(origin.url))).toBe(moscow.egress)
    expect(pool.stats().devices.map(({ name }) => name)).toEqual(['moscow-07'])
    await eventually('the stream is open', () => hub.streams === 1)
    hub.put('moscow-07', { tags: ['farm-1'] })
    await eventually('it no longer matches', () => pool.stats().devices.length === 0)
  })

  test('a new exit IP, announced or not, has a clean record, and the old connections go', async () => {
    const omsk = await stage.device('omsk-05')
    const device = put('omsk-05', omsk)
    origin.ban('127.10.5.1', { retryAfter: '3600' })
    const pool = open()
    expect((await pool.fetch(origin.url)).status).toBe(403)
    await eventually('the stream is open', () => hub.streams === 1)
    const changes = collect(pool, 'ipChanged')
    omsk.egress = '127.10.5.2'
    hub.send({
      name: 'ip_changed',
      data: { id: device.id, name: 'omsk-05', old_ip: '127.10.5.1', new_ip: '127.10.5.2', at: new Date().toISOString() },
    })
    await eventually('the pool knows', () => changes.length === 1)
    expect(changes).toMatchObject([{ device: 'omsk-05', oldIp: '127.10.5.1', newIp: '127.10.5.2' }])
    expect(await exitOf(await pool.fetch(origin.url))).toBe('127.10.5.2')
    expect(omsk.counts.connections).toBe(2)
  })
})

describe('a hub that is away', () => {
  test('does not stop the pool: the last fleet serves on, events say so, and the stream resumes where it was', async () => {
    const [seoul, moscow] = [await stage.device('seoul-01'), await stage.device('moscow-07')]
    put('seoul-01', seoul)
    const pool = open()
    const sources = collect(pool, 'source')
    await (await pool.fetch(origin.url)).text()
    await eventually('the stream is open', () => hub.streams === 1)
    await hub.stop()
    await eventually('the pool notices', () => sources.some(({ isUp }) => !isUp))
    expect(sources.find(({ isUp }) => !isUp)).toMatchObject({
      isUp: false,
      reason: expect.stringContaining('does not answer (ECONNREFUSED)'),
    })
    expect(pool.stats().isSourceUp).toBe(false)
    expect(await exitOf(await pool.fetch(origin.url))).toBe(seoul.egress)
    put('moscow-07', moscow)
    await hub.start()
    await eventually('the pool hears what it missed', () => pool.stats().devices.length === 2)
    expect(hub.resumedFrom.at(-1)).toBe('1-1')
    expect(hub.requests.filter((one) => one.endsWith('/list'))).toHaveLength(1)
    expect(sources.at(-1)).toEqual({ isUp: true })
  })

  test('that has forgotten what came since says reset, and the list is fetched anew', async () => {
    const [seoul, moscow] = [await stage.device('seoul-01'), await stage.device('moscow-07')]
    put('seoul-01', seoul)
    const pool = open()
    await (await pool.fetch(origin.url)).text()
    await eventually('the stream is open', () => hub.streams === 1)
    await hub.stop()
    hub.remove('seoul-01')
    put('moscow-07', moscow)
    await hub.start({ forget: true })
    await eventually(
      'the fleet is another',
      () =>
        pool
          .stats()
          .devices.map(({ name }) => name)
          .join() === 'moscow-07',
    )
    expect(await exitOf(await pool.fetch(origin.url))).toBe(moscow.egress)
    expect(hub.requests.filter((one) => one.endsWith('/list'))).toHaveLength(2)
  })

  test('a stream that only broke is opened again without alarm', async () => {
    put('seoul-01', await stage.device('seoul-01'))
    const pool = open()
    const sources = collect(pool, 'source')
    await eventually('the stream is open', () => hub.streams === 1)
    hub.dropStreams()
    await eventually('it is open again', () => hub.streams === 1 && hub.resumedFrom.length === 2)
    expect(sources).toEqual([{ isUp: true }])
  })

  test('from the beginning: requests wait, and are served once it is there', async () => {
    put('seoul-01', await stage.device('seoul-01'))
    await hub.stop()
    const pool = open()
    const waiting = pool.fetch(origin.url)
    await new Promise((resolve) => pool.once('source', resolve))
    await hub.start()
    expect((await waiting).status).toBe(200)
  })

  test('from the beginning to the end: the error says what is wrong with the hub', async () => {
    await hub.stop()
    const pool = open({ queue: { timeoutMs: 300 } })
    await expect(pool.fetch(origin.url)).rejects.toMatchObject({
      code: 'MP_NO_DEVICE',
      message: expect.stringMatching(/no device came up within 300 ms .*the hub at http.* does not answer \(ECONNREFUSED\)/),
    })
  })
})

describe('a hub that is wrong', () => {
  test('a wrong token ends the wait at once, and is not in the message', async () => {
    const pool = stage.open({ hub: `http://:wr0ng-token@127.0.0.1:${hub.port}` })
    const error = (await pool.fetch(origin.url).catch((reason: unknown) => reason)) as Error
    expect(error).toMatchObject({ code: 'MP_HUB_REFUSED', message: expect.stringContaining('check `hub.token`') })
    expect(error.message).not.toContain('wr0ng')
  })

  test('the token may stand in the URL', async () => {
    put('seoul-01', await stage.device('seoul-01'))
    const pool = stage.open({ hub: `http://:${hub.token}@127.0.0.1:${hub.port}` })
    expect((await pool.fetch(origin.url)).status).toBe(200)
  })

  test('an event that breaks the contract is not believed: the list is fetched anew', async () => {
    put('seoul-01', await stage.device('seoul-01'))
    const pool = open()
    const sources = collect(pool, 'source')
    await eventually('the stream is open', () => hub.streams === 1)
    hub.sendRaw('id: 1-99\nevent: device\ndata: {"id":"x"}\n\n')
    await eventually('the pool complains', () => sources.some(({ isUp }) => !isUp))
    expect(sources[1]).toMatchObject({ reason: expect.stringMatching(/"device" event that its contract does not allow/) })
    await eventually('the stream is open again', () => hub.streams === 1 && hub.resumedFrom.length === 2)
    expect(hub.resumedFrom).toEqual(['1-1', '1-1'])
    expect(pool.stats().ready).toBe(1)
  })

  test('an event of a kind that is not known yet is passed over', async () => {
    put('seoul-01', await stage.device('seoul-01'))
    const pool = open()
    await eventually('the stream is open', () => hub.streams === 1)
    hub.sendRaw('event: invented_later\ndata: not even json\n\n')
    hub.put('seoul-01', { status: 'maintenance' })
    await eventually('the next one is heard', () => stateOf(pool, 'seoul-01') === 'offline')
    expect(hub.resumedFrom).toHaveLength(1)
  })

  test('an answer that is no hub’s is an error that asks for the URL', async () => {
    const pool = stage.open({ hub: { url: origin.url, token: 'x' } })
    const [event] = await new Promise<[object]>((resolve) => pool.once('source', (...args) => resolve(args)))
    expect(event).toMatchObject({ isUp: false, reason: expect.stringContaining('is not what its contract says') })
  })
})

describe('between two attempts of a rotation', () => {
  test('the device serves; it drains anew for the next one', async () => {
    const busan = await stage.device('busan-03')
    put('busan-03', busan)
    const pool = open()
    await (await pool.fetch(origin.url)).text()
    await eventually('the stream is open', () => hub.streams === 1)
    hub.rotation('busan-03', { state: 'queued', attempt: 0 })
    hub.rotation('busan-03', { state: 'draining', attempt: 1 })
    await eventually('it drains', () => stateOf(pool, 'busan-03') === 'rotating')
    hub.rotation('busan-03', { state: 'queued', attempt: 1 })
    await eventually('it serves', () => stateOf(pool, 'busan-03') !== 'rotating')
    expect(await exitOf(await pool.fetch(origin.url))).toBe(busan.egress)
    hub.rotation('busan-03', { state: 'draining', attempt: 2 })
    await eventually('it drains anew', () => stateOf(pool, 'busan-03') === 'rotating')
    const changes = collect(pool, 'ipChanged')
    hub.rotation('busan-03', { state: 'changed', new_ip: '127.10.3.2', attempt: 2 })
    await eventually('it serves again', () => stateOf(pool, 'busan-03') !== 'rotating')
    expect(changes).toHaveLength(1)
  })
})

describe('rotation through the hub', () => {
  const prepare = async (options: object = {}) => {
    const busan = await stage.device('busan-03')
    put('busan-03', busan)
    const pool = open(options)
    await (await pool.fetch(origin.url)).text()
    await eventually('the stream is open', () => hub.streams === 1)
    return { busan, pool }
  }

  test('is asked for, followed and reported; meanwhile the device drains, and then it serves with its new IP', async () => {
    const { busan, pool } = await prepare()
    const rotating = pool.rotate('busan-03', { trigger: 'session' })
    await eventually('the hub was asked', () => hub.requests.includes('POST /api/v1/proxy/rotate'))
    expect(stateOf(pool, 'busan-03')).toBe('ready')
    hub.rotation('busan-03', { state: 'draining' })
    await eventually('its sockets are closed', () => busan.sockets.size === 0)
    expect(stateOf(pool, 'busan-03')).toBe('rotating')
    const waiting = pool.fetch(origin.url)
    hub.rotation('busan-03', { state: 'rotating' })
    hub.put('busan-03', { status: 'rotating' })
    busan.egress = '127.10.3.2'
    hub.put('busan-03', { status: 'online', exit_ip: '127.10.3.2' })
    await eventually('the IP is known', () => pool.stats().devices[0]?.exitIp === '127.10.3.2')
    expect(pool.stats().requests.queued).toBe(1)
    hub.rotation('busan-03', { state: 'changed', new_ip: '127.10.3.2', method: 'airplane_mode' })
    expect(await rotating).toMatchObject({
      outcome: 'changed',
      oldIp: '127.10.3.1',
      newIp: '127.10.3.2',
      durationMs: 1_234,
      trigger: 'session',
      device: 'busan-03',
    })
    expect(await exitOf(await waiting)).toBe('127.10.3.2')
    expect(pool.stats().devices[0]).toMatchObject({ generation: 1, rotations: { changed: 1, last: { outcome: 'changed' } } })
  })

  test('by its id, with an end that is only found by asking', async () => {
    const { pool } = await prepare()
    const id = pool.stats().devices[0]?.id ?? ''
    const rotating = pool.rotate(id)
    await eventually('the hub was asked', () => hub.requests.includes('POST /api/v1/proxy/rotate'))
    hub.rotation('busan-03', { state: 'draining' })
    await eventually('it drains', () => stateOf(pool, 'busan-03') === 'rotating')
    hub.rotation('busan-03', { state: 'failed', reason: 'no_registration', detail: 'no network in 90 s' }, { tell: false })
    expect(await rotating).toMatchObject({ outcome: 'failed', reason: 'no_registration', detail: 'no network in 90 s', newIp: null })
    expect(stateOf(pool, 'busan-03')).toBe('ready')
  })

  test('one that runs already is followed', async () => {
    const { pool } = await prepare()
    hub.rotation('busan-03', { state: 'rotating', trigger: 'interval' })
    await eventually('it drains', () => stateOf(pool, 'busan-03') === 'rotating')
    const rotating = pool.rotate('busan-03')
    await eventually('the hub was asked', () => hub.requests.includes('POST /api/v1/proxy/rotate'))
    hub.rotation('busan-03', { state: 'unchanged', new_ip: '127.10.3.1' })
    expect(await rotating).toMatchObject({ outcome: 'unchanged', trigger: 'interval' })
  })

  test('that others asked for drains the device here too, and is told', async () => {
    const { busan, pool } = await prepare()
    const ends = collect(pool, 'rotationEnd')
    hub.rotation('busan-03', { state: 'draining' })
    await eventually('its sockets are closed', () => busan.sockets.size === 0)
    hub.rotation('busan-03', { state: 'changed', new_ip: '127.10.3.9' })
    await eventually('it is over', () => ends.length === 1)
    expect(pool.stats().devices[0]).toMatchObject({ state: 'ready', exitIp: '127.10.3.9' })
  })

  test('whose end was missed while the hub was away is over when the fresh list says so', async () => {
    const { pool } = await prepare()
    hub.rotation('busan-03', { state: 'rotating' })
    await eventually('it drains', () => stateOf(pool, 'busan-03') === 'rotating')
    await hub.stop()
    hub.rotation('busan-03', { state: 'changed', new_ip: '127.10.3.2' }, { tell: false })
    hub.put('busan-03', { status: 'online', exit_ip: '127.10.3.2' })
    await hub.start({ forget: true })
    await eventually('it serves again', () => stateOf(pool, 'busan-03') === 'ready')
    expect(pool.stats().devices[0]?.exitIp).toBe('127.10.3.2')
  })

  test('that began before we came shows by the status alone', async () => {
    put('busan-03', await stage.device('busan-03'), { status: 'rotating' })
    const pool = open()
    const waiting = pool.fetch(origin.url)
    await eventually('the stream is open', () => hub.streams === 1)
    expect(stateOf(pool, 'busan-03')).toBe('rotating')
    hub.put('busan-03', { status: 'online' })
    expect((await waiting).status).toBe(200)
  })

  test.each([
    ['rotation_too_soon', { status: 429, retry_after: 42 }, { code: 'MP_ROTATION_TOO_SOON', retryAfterMs: 42_000 }],
    ['rotation_unsupported', {}, { code: 'MP_ROTATION_UNSUPPORTED' }],
    ['database_down', { status: 503 }, { code: 'MP_HUB_REFUSED' }],
  ] as const)('refused as %s is an error with a code', async (code, more, expected) => {
    const { pool } = await prepare()
    hub.refuseRotations({ code, ...more })
    await expect(pool.rotate('busan-03')).rejects.toMatchObject(expected)
    expect(stateOf(pool, 'busan-03')).toBe('ready')
  })

  test('that must bring an exit IP not seen for a while says so: of this rotation, or as the pool has it', async () => {
    const { pool } = await prepare({ rotate: { unique: '24h' } })
    const turn = async (unique?: string): Promise<void> => {
      const asked = hub.rotationWishes.length
      const rotating = pool.rotate('busan-03', unique === undefined ? {} : { unique })
      await eventually('the hub was asked', () => hub.rotationWishes.length > asked)
      hub.rotation('busan-03', { state: 'changed', new_ip: '127.10.3.1' })
      await rotating
    }
    await turn()
    await turn('7d')
    expect(hub.rotationWishes.map(({ unique }) => unique)).toEqual(['24h', '7d'])
    await expect(pool.rotate('busan-03', { unique: 'a day' })).rejects.toMatchObject({
      code: 'MP_OPTIONS',
      message: expect.stringContaining('unique: must be a whole number of minutes, hours or days, like 30m, 24h or 7d'),
    })
    expect(hub.rotationWishes).toHaveLength(2)
  })

  test('while the hub is away is an error at once', async () => {
    const { pool } = await prepare()
    await hub.stop()
    await expect(pool.rotate('busan-03')).rejects.toMatchObject({ code: 'MP_HUB_UNREACHABLE' })
  })

  test('a pool that is closed while it waits says so', async () => {
    const { pool } = await prepare()
    const rotating = expect(pool.rotate('busan-03')).rejects.toMatchObject({ code: 'MP_CLOSED' })
    await eventually('the hub was asked', () => hub.requests.includes('POST /api/v1/proxy/rotate'))
    await pool.close()
    await rotating
  })
})

test('installGlobal does not lead the hub’s own connections through the pool', async () => {
  const seoul = await stage.device('seoul-01')
  put('seoul-01', seoul)
  const pool = open()
  const installed = pool.installGlobal()
  try {
    await (await fetch(origin.url)).text()
    await eventually('the stream is open', () => hub.streams === 1)
    hub.put('seoul-01', { status: 'offline' })
    await eventually('the pool hears the hub', () => stateOf(pool, 'seoul-01') === 'offline')
    expect(seoul.counts.requests).toBe(1)
  } finally {
    installed[Symbol.dispose]()
  }
})
