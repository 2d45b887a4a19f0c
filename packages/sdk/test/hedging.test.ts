import type { ViewOptions } from '@mobilepool/sdk'
import { request } from 'undici'
import { describe, expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import type { SeenRequest } from './servers/origin.ts'
import { collect, Stage } from './stage.ts'

const stage = new Stage()

const json = async (response: { json(): Promise<unknown> }): Promise<SeenRequest> => (await response.json()) as SeenRequest
const HEDGE = { hedge: { delayMs: 50 }, timeouts: { connectMs: 1_500 } }

describe('while a device is slow to connect', () => {
  test('a second one is asked; the request is sent there, once; the hung device is taken out when its time is over', async () => {
    const origin = await stage.origin({ tls: true })
    const [kazan, seoul, busan] = [await stage.device('kazan-02'), await stage.device('seoul-01'), await stage.device('busan-03')]
    kazan.fault = { kind: 'hang_connect' }
    const pool = stage.pool([kazan, seoul, busan], HEDGE)
    const [hedges, ejections] = [collect(pool, 'hedge'), collect(pool, 'eject')]
    const answer = await pool.fetch(`${origin.url}/?id=1`, { method: 'POST', body: 'x' })
    expect(ejections).toEqual([])
    expect(answer.headers.get('x-mobilepool-attempts')).toBe('2')
    expect((await json(answer)).remoteAddress).toBe(seoul.egress)
    expect(hedges).toMatchObject([{ attempt: { device: 'kazan-02', kind: 'hedged', phase: 'connect' } }])
    expect(origin.ids.get('1')).toBe(1)
    expect(pool.stats().requests).toMatchObject({ hedged: 1, retried: 0 })
    await eventually('the hung device is taken out', () => ejections.length === 1)
    expect(ejections).toMatchObject([{ device: 'kazan-02' }])
    expect(pool.stats().devices.every(({ inFlight }) => inFlight === 0)).toBe(true)
  })

  test('a connection that comes late is kept for the next request', async () => {
    const origin = await stage.origin({ tls: true })
    const [kazan, seoul] = [await stage.device('kazan-02'), await stage.device('seoul-01')]
    kazan.fault = { kind: 'slow', ms: 300 }
    const pool = stage.pool([kazan, seoul], { ...HEDGE, timeouts: { connectMs: 10_000 } })
    expect((await json(await pool.fetch(origin.url))).remoteAddress).toBe(seoul.egress)
    await eventually('the late connection stands', () => pool.stats().devices.every(({ inFlight }) => inFlight === 0))
    expect(kazan.counts).toMatchObject({ connections: 1 })
    kazan.fault = null
    expect((await json(await pool.fetch(origin.url))).remoteAddress).toBe(kazan.egress)
    expect(kazan.counts).toMatchObject({ connections: 1 })
    expect(pool.stats().devices.map(({ faults }) => faults)).toEqual([0, 0])
  })

  test('and the second fails, the first goes on and answers', async () => {
    const origin = await stage.origin({ tls: true })
    const [kazan, moscow] = [await stage.device('kazan-02'), await stage.device('moscow-07')]
    await moscow.refuse()
    kazan.fault = { kind: 'slow', ms: 150 }
    const pool = stage.pool([kazan, moscow], { ...HEDGE, timeouts: { connectMs: 10_000 } })
    expect((await json(await pool.fetch(origin.url))).remoteAddress).toBe(kazan.egress)
    expect(pool.stats().devices).toMatchObject([
      { faults: 0, inFlight: 0 },
      { faults: 1, inFlight: 0 },
    ])
    expect(pool.stats().requests.hedged).toBe(0)
  })

  test('a rotation ends the connection that nobody waits for any more, and that is no fault', async () => {
    const origin = await stage.origin({ tls: true })
    const [kazan, seoul] = [await stage.device('kazan-02'), await stage.device('seoul-01')]
    kazan.fault = { kind: 'hang_connect' }
    const devices = [
      { id: 'kazan-02', url: kazan.url, rotate: async () => '127.10.2.2' },
      { id: 'seoul-01', url: seoul.url },
    ]
    const timing = { hedge: { delayMs: 50 }, timeouts: { connectMs: 60_000 }, rotate: { drainMs: 60_000 } }
    const pool = stage.open({ devices, balancer: 'round-robin', ...timing })
    expect((await json(await pool.fetch(origin.url))).remoteAddress).toBe(seoul.egress)
    expect(kazan.sockets.size).toBe(1)
    await pool.rotate('kazan-02')
    expect(pool.stats().devices[0]).toMatchObject({ id: 'kazan-02', faults: 0, inFlight: 0 })
  })

  test('an abort ends both connections', async () => {
    const origin = await stage.origin({ tls: true })
    const devices = [await stage.device('kazan-02'), await stage.device('omsk-05')]
    for (const device of devices) device.fault = { kind: 'hang_connect' }
    const pool = stage.pool(devices, { hedge: { delayMs: 50 } })
    const signal = new AbortController()
    const asked = request(origin.url, { dispatcher: pool.dispatcher, signal: signal.signal })
    asked.catch(() => {})
    await eventually('both devices are asked', () => devices.every(({ counts }) => counts.connects === 1))
    signal.abort()
    await expect(asked).rejects.toMatchObject({ name: 'AbortError' })
    await eventually('both connections are closed', () => devices.every(({ sockets }) => sockets.size === 0))
    await eventually('both devices are free', () => pool.stats().devices.every(({ inFlight }) => inFlight === 0))
  })
})

test.each([
  ['no second device is free', { perDevice: { concurrency: 1 }, hedge: { delayMs: 50 } }, true],
  ['hedge is false', { hedge: false as const }, false],
  ['its budget is nothing', { hedge: { delayMs: 50, budget: 0 } }, false],
  ['a view says so', { hedge: { delayMs: 50 } }, false, { hedge: false as const }],
])('none is asked where %s', async (_where, options, isBusy, view: ViewOptions = {}) => {
  const origin = await stage.origin({ tls: true })
  const [kazan, seoul] = [await stage.device('kazan-02'), await stage.device('seoul-01')]
  const pool = stage.pool([kazan, seoul], { balancer: 'round-robin', ...options, timeouts: { connectMs: 400 }, retry: false })
  kazan.fault = { kind: 'hang_connect' }
  const first = pool.fetch(origin.url, { view })
  first.catch(() => {})
  const second = isBusy ? pool.fetch(`${origin.url}/slow/1000`) : null
  await expect(first).rejects.toMatchObject({ code: 'MP_TUNNEL_TIMEOUT' })
  await second?.then((response) => response.text())
  expect([seoul.counts.connects, pool.stats().requests.hedged]).toEqual([isBusy ? 1 : 0, 0])
})

test('hedges are no more than their budget: the reserve, and a share of the requests', async () => {
  const origin = await stage.origin({ tls: true })
  const devices = await stage.fleet(30)
  for (const device of devices.slice(0, 15)) device.fault = { kind: 'hang_connect' }
  const options = { hedge: { delayMs: 20, budget: 0.1 }, timeouts: { connectMs: 1_000 }, retry: false as const, eject: false as const }
  const pool = stage.pool(devices, { ...options, perDevice: { concurrency: 1 } })
  const asked = await Promise.allSettled(Array.from({ length: 15 }, () => pool.fetch(origin.url)))
  // Ten in reserve, and a tenth of each of fifteen requests.
  expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(11)
  expect(pool.stats().requests.hedged).toBe(11)
})

test('a session that has its device is never hedged to another, and the hops of a fetch stay where the first went', async () => {
  const origin = await stage.origin({ tls: true })
  const [kazan, seoul, busan] = [await stage.device('kazan-02'), await stage.device('seoul-01'), await stage.device('busan-03')]
  kazan.fault = { kind: 'slow', ms: 300 }
  const pool = stage.pool([kazan, seoul, busan], { hedge: { delayMs: 50 } })
  const session = pool.session('account-1', { onIpChange: 'fail' })
  expect((await json(await session.fetch(origin.url))).remoteAddress).toBe(kazan.egress)
  expect(pool.stats().requests.hedged).toBe(0)
  const other = stage.pool([kazan, seoul, busan], { hedge: { delayMs: 50 } })
  const hops = await json(await other.fetch(`${origin.url}/redirect`))
  expect([hops.url, hops.remoteAddress, other.stats().requests.hedged]).toEqual(['/', seoul.egress, 1])
  expect(origin.seen.filter(({ url }) => url === '/redirect').map(({ remoteAddress }) => remoteAddress)).toEqual([seoul.egress])
})

test("delayMs 'auto': a second at first; once it has seen how fast the fleet connects, a quarter of one", async () => {
  const origin = await stage.origin({ tls: true })
  const [kazan, seoul] = [await stage.device('kazan-02'), await stage.device('seoul-01')]
  const pool = stage.pool([kazan, seoul], { keepAlive: { maxIdlePerDevice: 0 } })
  const get = async (from: Pick<typeof pool, 'fetch'> = pool): Promise<void> => void (await (await from.fetch(origin.url)).text())
  let hedgedAt = 0
  pool.on('hedge', () => {
    hedgedAt = performance.now()
  })
  /** How long the pool waits for kazan-02, ms. */
  const patience = async (): Promise<number> => {
    kazan.fault = { kind: 'slow', ms: 20_000 }
    hedgedAt = 0
    let askedAt = 0
    // Every other request begins with the other device.
    while (hedgedAt === 0) {
      askedAt = performance.now()
      await get()
    }
    kazan.fault = null
    kazan.dropAll()
    return hedgedAt - askedAt
  }
  expect(await patience()).toBeGreaterThanOrEqual(999)
  for (let i = 0; i < 30; i++) await get(pool.with({ devices: 'seoul-01' }))
  const second = await patience()
  expect(second).toBeGreaterThanOrEqual(249)
  expect(second).toBeLessThan(999)
})
