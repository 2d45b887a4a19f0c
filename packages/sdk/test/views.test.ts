import { MobilePool, type ViewOptions } from '@mobilepool/sdk'
import { request } from 'undici'
import { describe, expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import type { SeenRequest } from './servers/origin.ts'
import { Stage } from './stage.ts'

const stage = new Stage()

const exitOf = async (response: Response | Promise<Response>): Promise<string> =>
  ((await (await response).json()) as SeenRequest).remoteAddress

/** Three devices of two operators, and an origin. */
async function three(options = {}) {
  const devices = [await stage.device('seoul-01'), await stage.device('moscow-07'), await stage.device('kazan-02')] as const
  const [seoul, moscow, kazan] = devices
  const pool = stage.open({
    devices: [
      { id: 'seoul-01', url: seoul.url, operator: 'SKT', tags: ['fast'] },
      { id: 'moscow-07', url: moscow.url, operator: 'MTS' },
      { id: 'kazan-02', url: kazan.url, operator: 'MTS', tags: ['fast'] },
    ],
    balancer: 'round-robin',
    ...options,
  })
  return { pool, origin: await stage.origin(), seoul, moscow, kazan }
}

describe('pool.with()', () => {
  test('uses only devices that suit it, with built-in fetch, npm undici and its own fetch; views of views narrow', async () => {
    const { pool, origin } = await three()
    const mts = pool.with({ filter: { operator: 'mts' } })
    const exits = new Set<string>()
    for (let i = 0; i < 4; i++) {
      exits.add(await exitOf(mts.fetch(origin.url)))
      exits.add(await exitOf(fetch(origin.url, Object.assign({}, { dispatcher: mts }))))
      const { body } = await request(origin.url, { dispatcher: mts.dispatcher })
      exits.add(((await body.json()) as SeenRequest).remoteAddress)
    }
    expect(exits).toEqual(new Set(['127.10.7.1', '127.10.2.1']))
    const both = mts.with({ filter: { tags: ['fast'] } })
    for (let i = 0; i < 3; i++) expect(await exitOf(both.fetch(origin.url))).toBe('127.10.2.1')
    await expect(both.with({ devices: 'seoul-01' }).fetch(origin.url)).rejects.toMatchObject({ code: 'MP_NO_DEVICE' })
    for (let i = 0; i < 3; i++)
      expect(await exitOf(pool.fetch(origin.url, { view: { exclude: ['moscow-07', 'kazan-02'] } }))).toBe('127.10.1.1')
  })

  test('closing a view closes nothing', async () => {
    const { pool, origin } = await three()
    const view = pool.with({ devices: 'seoul-01' })
    await view.dispatcher.close()
    await new Promise<void>((resolve) => view.dispatcher.destroy(() => resolve()))
    expect(await exitOf(view.fetch(origin.url))).toBe('127.10.1.1')
  })

  test('retry: false makes one attempt, ban: false delivers a ban without remembering it', async () => {
    const { pool, origin, seoul } = await three()
    seoul.fault = { kind: 'drop' }
    const once = pool.with({ devices: ['seoul-01', 'moscow-07'], retry: false })
    await expect(once.fetch(origin.url)).rejects.toMatchObject({ attempts: [{ deviceId: 'seoul-01' }] })
    expect((await pool.fetch(`${origin.url}/status/403`, { view: { devices: 'moscow-07', ban: false } })).status).toBe(403)
    expect(pool.stats().devices.flatMap(({ quarantines }) => quarantines)).toEqual([])
  })

  test('queueTimeoutMs bounds the wait', async () => {
    const { pool, origin } = await three({ perDevice: { concurrency: 1 } })
    const slow = pool.fetch(`${origin.url}/slow/300`, { view: { devices: 'seoul-01' } })
    await eventually('it is there', () => origin.seen.length === 1)
    const late = pool.fetch(origin.url, { view: { devices: 'seoul-01', queueTimeoutMs: 20 } })
    await expect(late).rejects.toMatchObject({ code: 'MP_QUEUE_TIMEOUT' })
    expect(await (await slow).text()).toBe('slow')
  })

  test.each([
    [{ devices: [] }, 'devices: is empty'],
    [{ filter: { operater: 'MTS' } }, 'filter.operater: there is no such option'],
    [{ priority: 0.5 }, 'priority: must be a whole number from -100 to 100'],
    [{ priority: 101 }, 'priority: must be at most 100'],
    [{ priority: -101 }, 'priority: must be at least -100'],
    [{ session: { key: 'a', onIpChange: 'stay' } }, "session.onIpChange: must be 'follow', 'move' or 'fail'"],
    [{ session: '' }, 'session.key: is empty'],
    [{ retry: true }, 'retry: must be false or an object'],
    [{ ban: true }, 'ban: can only be false'],
  ])('%o is refused', async (options, message) => {
    const pool = stage.pool([await stage.device('seoul-01')])
    expect(() => pool.with(options as unknown as ViewOptions)).toThrow(
      expect.objectContaining({ code: 'MP_OPTIONS', message: expect.stringContaining(message) }),
    )
  })
})

describe('pool.fetch()', () => {
  test('keeps all hops of a redirect on one device, where the dispatcher spreads them', async () => {
    const { pool, origin } = await three()
    for (let i = 0; i < 3; i++) {
      origin.seen.length = 0
      await (await pool.fetch(`${origin.url}/redirect`)).text()
      expect(new Set(origin.seen.map(({ remoteAddress }) => remoteAddress)).size).toBe(1)
    }
    origin.seen.length = 0
    await (await fetch(`${origin.url}/redirect`, Object.assign({}, { dispatcher: pool }))).text()
    expect(new Set(origin.seen.map(({ remoteAddress }) => remoteAddress)).size).toBe(2)
  })

  test('still goes on to another device when the first fails', async () => {
    const { pool, origin, seoul } = await three()
    seoul.fault = { kind: 'status', status: 502 }
    for (let i = 0; i < 3; i++) expect(['127.10.7.1', '127.10.2.1']).toContain(await exitOf(pool.fetch(origin.url)))
  })
})

describe('pool.run()', () => {
  test('puts every request begun inside into the view, over awaits and redirects and by any client; nested ones narrow', async () => {
    const { pool, origin } = await three()
    const result = await pool.run({ filter: { operator: 'MTS' } }, async () => {
      const exits = new Set<string>()
      for (let i = 0; i < 3; i++) {
        exits.add(await exitOf(fetch(`${origin.url}/redirect`, Object.assign({}, { dispatcher: pool }))))
        exits.add(await exitOf(pool.fetch(origin.url)))
      }
      const inner = await pool.run({ filter: { tags: ['fast'] } }, () => Promise.all([1, 2, 3].map(() => exitOf(pool.fetch(origin.url)))))
      return { exits, inner, view: await exitOf(pool.with({ exclude: 'moscow-07' }).fetch(origin.url)) }
    })
    expect(result).toEqual({
      exits: new Set(['127.10.7.1', '127.10.2.1']),
      inner: ['127.10.2.1', '127.10.2.1', '127.10.2.1'],
      view: '127.10.2.1',
    })
    expect(new Set(await Promise.all([1, 2, 3].map(() => exitOf(pool.fetch(origin.url))))).size).toBe(3)
    expect(pool.run({}, () => 42)).toBe(42)
  })
})

test('a view of another pool does not leak into this one', async () => {
  const { pool, origin } = await three()
  const other = stage.pool([await stage.device('omsk-05')])
  expect(await pool.run({ devices: 'seoul-01' }, () => exitOf(other.fetch(origin.url)))).toBe('127.10.5.1')
  expect(other).toBeInstanceOf(MobilePool)
})
