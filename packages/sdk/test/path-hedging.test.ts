import http from 'node:http'
import net from 'node:net'
import type { Duplex } from 'node:stream'
import type { MobilePool, MobilePoolOptions, ViewOptions } from '@mobilepool/sdk'
import { describe, expect, test } from 'vitest'
import { ask } from './ask-by-agent.ts'
import { curl, seenIn } from './curl.ts'
import { eventually } from './eventually.ts'
import { listen } from './servers/listen.ts'
import { collect, Stage } from './stage.ts'

const stage = new Stage()

/** Longer than any test may take: whatever waits for it has not been spared the time-out. */
const CONNECT_MS = 60_000
const HEDGE = { hedge: { delayMs: 50 }, timeouts: { connectMs: CONNECT_MS } }

const isFree = (pool: MobilePool): boolean => pool.stats().devices.every(({ inFlight }) => inFlight === 0)
const hedged = (pool: MobilePool): number => pool.stats().requests.hedged

/** A hanging device that is asked first, a steady one, and a site. */
async function scene(options: MobilePoolOptions = HEDGE) {
  const origin = await stage.origin({ tls: true })
  const [kazan, seoul] = [await stage.device('kazan-02'), await stage.device('seoul-01')]
  kazan.fault = { kind: 'hang_connect' }
  const pool = stage.pool([kazan, seoul], options)
  return { origin, kazan, seoul, pool }
}

/** Ways to a path: what the client sends, and the exit IP that the origin saw. */
const ways: [name: string, send: (pool: MobilePool, url: string) => Promise<string>][] = [
  [
    'pool.listen()',
    async (pool, url) => {
      const local = await pool.listen()
      const answer = await curl('-x', local.url, url)
      await local.close()
      return seenIn(answer).remoteAddress
    },
  ],
  ['pool.httpsAgent', async (pool, url) => (await ask(pool, url)).seen.remoteAddress],
]

describe.each(ways)('by %s, while a device is slow to connect', (_way, send) => {
  test('a second one is asked, and the client waits no longer for the first', async () => {
    const { origin, kazan, seoul, pool } = await scene()
    const hedges = collect(pool, 'hedge')
    expect(await send(pool, origin.url)).toBe(seoul.egress)
    expect(hedges).toMatchObject([{ site: '127.0.0.1', attempt: { device: 'kazan-02', kind: 'hedged', phase: 'connect' } }])
    expect(pool.stats().requests).toMatchObject({ started: 1, hedged: 1, retried: 0 })
    // It is still being waited for, to see whether the device hangs; the end of the pool ends that.
    expect([kazan.counts.connects, kazan.sockets.size]).toEqual([1, 1])
  })

  test('the hung one is taken out when its time is over, and both are free', async () => {
    const { origin, seoul, pool } = await scene({ ...HEDGE, timeouts: { connectMs: 700 } })
    const ejections = collect(pool, 'eject')
    expect(await send(pool, origin.url)).toBe(seoul.egress)
    await eventually('the hung device is taken out', () => ejections.length === 1)
    expect(ejections).toMatchObject([{ device: 'kazan-02' }])
    await eventually('both are free', () => isFree(pool))
  })

  test('a connection that stands late is closed, and is no fault', async () => {
    const { origin, seoul } = await scene()
    const late = await lateDevice(origin)
    const pool = stage.pool([late, seoul], HEDGE)
    expect(await send(pool, origin.url)).toBe(seoul.egress)
    await late.answerAll()
    await eventually('both are free', () => isFree(pool))
    await eventually('its connection is closed', () => late.sockets.size === 0)
    expect(pool.stats().devices.map(({ faults }) => faults)).toEqual([0, 0])
    await late.close()
  })

  test('and the second fails, the first goes on and serves', async () => {
    const origin = await stage.origin({ tls: true })
    const [late, moscow] = [await lateDevice(origin), await stage.device('moscow-07')]
    await moscow.refuse()
    const pool = stage.pool([late, moscow], HEDGE)
    const sent = send(pool, origin.url)
    await eventually('the second has failed', () => (pool.stats().devices[1]?.faults ?? 0) === 1)
    await late.answerAll()
    expect(await sent).toBe('127.0.0.1')
    expect(hedged(pool)).toBe(0)
    await eventually('both are free', () => isFree(pool))
    expect(pool.stats().devices.map(({ faults }) => faults)).toEqual([0, 1])
    await pool.close()
    await late.close()
  })
})

/** A device that answers CONNECT when it is told to, and then leads to the origin. */
async function lateDevice(origin: { readonly port: number }) {
  const waiting: Duplex[] = []
  const server = http.createServer().on('connect', (_request, client: Duplex) => {
    client.on('error', () => {})
    waiting.push(client)
  })
  const listening = await listen(server)
  return {
    ...listening,
    id: 'late',
    url: `http://127.0.0.1:${listening.port}`,
    async answerAll() {
      for (const client of waiting.splice(0)) {
        client.write('HTTP/1.1 200 Connection established\r\n\r\n')
        const target = net.connect(origin.port, '127.0.0.1')
        target.on('error', () => {}).on('close', () => client.destroy())
        client.on('close', () => target.destroy())
        client.pipe(target).pipe(client)
      }
    },
  }
}

test.each<[where: string, options: MobilePoolOptions, view: ViewOptions]>([
  ['hedge is false', { hedge: false }, {}],
  ['its budget is nothing', { hedge: { delayMs: 50, budget: 0 } }, {}],
  ['a view says so', { hedge: { delayMs: 50 } }, { hedge: false }],
  ['no other device suits the view', { hedge: { delayMs: 50 } }, { devices: 'kazan-02' }],
])('no second device is asked where %s', async (_where, options, view) => {
  const { origin, seoul, pool } = await scene({ retry: false, ...options, timeouts: { connectMs: 400 } })
  const local = await pool.listen({ view })
  expect(await curl('-x', local.url, origin.url)).toMatchObject({ connectStatus: 504 })
  expect([seoul.counts.connects, hedged(pool)]).toEqual([0, 0])
})

test('a lease and a session on its device are never hedged to another', async () => {
  const { origin, seoul, kazan, pool } = await scene({ ...HEDGE, timeouts: { connectMs: 400 } })
  const lease = await pool.lease({ devices: 'kazan-02' })
  expect((await curl('-x', lease.proxyUrl, origin.url)).connectStatus).toBeGreaterThanOrEqual(500)
  expect(seoul.counts.connects).toBe(0)
  kazan.fault = null
  const session = pool.session('a', { onIpChange: 'fail' })
  const its = (await ask(session, origin.url)).seen.remoteAddress === seoul.egress ? seoul : kazan
  its.fault = { kind: 'hang_connect' }
  const others = (its === seoul ? kazan : seoul).counts.connects
  // Another name in TLS needs another connection.
  await expect(ask(session, origin.url, { servername: 'localhost' })).rejects.toThrow()
  expect([(its === seoul ? kazan : seoul).counts.connects, hedged(pool)]).toEqual([others, 0])
})

test('an abort ends both connections', async () => {
  const origin = await stage.origin({ tls: true })
  const devices = [await stage.device('kazan-02'), await stage.device('omsk-05')]
  for (const device of devices) device.fault = { kind: 'hang_connect' }
  const pool = stage.pool(devices, HEDGE)
  const abort = new AbortController()
  const sent = expect(ask(pool, origin.url, { signal: abort.signal })).rejects.toMatchObject({ name: 'AbortError' })
  await eventually('both devices are asked', () => devices.every(({ counts }) => counts.connects === 1))
  abort.abort()
  await sent
  await eventually('both connections are closed', () => devices.every(({ sockets }) => sockets.size === 0))
  expect(isFree(pool)).toBe(true)
})

test('an idle connection of the second device is used at once', async () => {
  const { origin, kazan, seoul, pool } = await scene({ ...HEDGE, hedge: { delayMs: 1_000 } })
  kazan.fault = null
  expect((await ask(pool, origin.url)).seen.remoteAddress).toBe(kazan.egress)
  expect((await ask(pool, origin.url)).seen.remoteAddress).toBe(seoul.egress)
  kazan.dropAll()
  kazan.fault = { kind: 'hang_connect' }
  await eventually('kazan-02 has no idle connection', () => kazan.sockets.size === 0)
  expect(await ask(pool, origin.url)).toMatchObject({ seen: { remoteAddress: seoul.egress }, isReused: true })
  expect([hedged(pool), seoul.counts.connects]).toEqual([1, 1])
})

test('a rotation does not wait for a connection that nobody wants any more', async () => {
  const { origin, kazan, seoul } = await scene()
  const devices = [
    { id: 'kazan-02', url: kazan.url, rotate: async () => '127.10.2.2' },
    { id: 'seoul-01', url: seoul.url },
  ]
  const pool = stage.open({ devices, balancer: 'round-robin', ...HEDGE, rotate: { drainMs: 60_000 } })
  expect((await ask(pool, origin.url)).seen.remoteAddress).toBe(seoul.egress)
  expect(kazan.sockets.size).toBe(1)
  await pool.rotate('kazan-02')
  expect(pool.stats().devices[0]).toMatchObject({ id: 'kazan-02', faults: 0, inFlight: 0 })
})
