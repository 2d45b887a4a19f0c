import { createServer } from 'node:net'
import { request, upgrade } from 'undici'
import { describe, expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import { type Listening, listen } from './servers/listen.ts'
import type { SeenRequest } from './servers/origin.ts'
import { Stage } from './stage.ts'

const stage = new Stage()

const json = async (response: { json(): Promise<unknown> }): Promise<SeenRequest> => (await response.json()) as SeenRequest
const pass = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

describe('idle connections', () => {
  test.each([false, true])('of one device are capped over all targets, the longest idle closed first: tls %s', async (tls) => {
    const origins = await Promise.all(Array.from({ length: 5 }, () => stage.origin({ tls })))
    const device = await stage.device('seoul-01')
    const pool = stage.open({ devices: [{ url: device.url, tunnel: 'always' }], keepAlive: { maxIdlePerDevice: 2 } })
    for (const [index, { url }] of origins.entries()) {
      await json(await pool.fetch(url))
      await eventually('the connection is idle, or closed', () => device.sockets.size === Math.min(index + 1, 2))
    }
    expect(device.counts.connections).toBe(5)
    for (const { url } of origins.slice(3)) await json(await pool.fetch(url))
    expect(device.counts.connections).toBe(5)
    expect(origins.map(({ sockets }) => sockets.size)).toEqual([0, 0, 0, 1, 1])
    await json(await pool.fetch(origins[0]?.url ?? ''))
    expect(device.counts.connections).toBe(6)
  })

  test('after a burst no more than the cap are left, in absolute form as well', async () => {
    const origin = await stage.origin()
    const device = await stage.device('seoul-01')
    const pool = stage.pool([device], { keepAlive: { maxIdlePerDevice: 3 }, perDevice: { concurrency: 20 } })
    await Promise.all(Array.from({ length: 20 }, async () => (await pool.fetch(`${origin.url}/slow/100`)).text()))
    expect(device.counts.connections).toBe(20)
    await eventually('three connections are left', () => device.sockets.size === 3)
  })

  test.each([false, true])('serve who sends the next request at once, and who waited for the device: tls %s', async (tls) => {
    const origin = await stage.origin({ tls })
    const device = await stage.device('seoul-01')
    const pool = stage.pool([device], { perDevice: { concurrency: 2 } })
    const parser = async (): Promise<void> => {
      for (let i = 0; i < 20; i++) {
        const { body } = await request(origin.url, { dispatcher: pool.dispatcher })
        await body.text()
      }
    }
    await Promise.all([parser(), parser(), parser(), parser()])
    expect(device.counts.connections).toBe(2)
  })

  test('that end with their response cost those behind them nothing', async () => {
    const origin = await stage.origin()
    const device = await stage.device('seoul-01')
    const pool = stage.pool([device], { perDevice: { concurrency: 1 }, retry: false })
    const paths = Array.from({ length: 10 }, (_, index) => `/?id=${index}`)
    const send = (path: string) =>
      request(`${origin.url}${path}`, { dispatcher: pool.dispatcher, method: 'POST', body: 'x', headers: { connection: 'close' } })
    await Promise.all(paths.map(async (path) => (await send(path)).body.text()))
    expect([...origin.ids.values()]).toEqual(paths.map(() => 1))
  })

  test('none is kept where none is wanted', async () => {
    const origin = await stage.origin({ tls: true })
    const device = await stage.device('seoul-01')
    const pool = stage.pool([device], { keepAlive: { maxIdlePerDevice: 0 } })
    await json(await pool.fetch(origin.url))
    await eventually('no connection is left', () => device.sockets.size === 0)
    await json(await pool.fetch(origin.url))
    expect(device.counts.connections).toBe(2)
  })

  test.each([false, true])('are closed after their time: http2 %s', async (http2) => {
    const origin = await stage.origin({ tls: true, http2 })
    const device = await stage.device('seoul-01')
    const pool = stage.pool([device], { http2, keepAlive: { idleMs: 100, maxIdleMs: 100 } })
    await json(await pool.fetch(origin.url))
    await eventually('no connection is left', () => device.sockets.size === 0)
  })

  test('that the target has closed cost no request, not even a POST', async () => {
    const origin = await stage.origin({ tls: true })
    const device = await stage.device('seoul-01')
    const pool = stage.pool([device], { retry: false })
    for (let i = 0; i < 5; i++) {
      expect((await json(await pool.fetch(`${origin.url}/?id=${i}`, { method: 'POST', body: 'x' }))).body).toBe('x')
      for (const socket of origin.sockets) socket.destroy()
      await eventually('the connection is gone', () => device.sockets.size === 0)
    }
    expect([...origin.ids.values()]).toEqual([1, 1, 1, 1, 1])
  })

  test('go to requests with the same Host header only: it is the name in TLS', async () => {
    const origin = await stage.origin({ tls: true })
    const pool = stage.pool([await stage.device('seoul-01')])
    for (const host of ['localhost', 'shop.example.test', 'localhost', 'shop.example.test']) {
      const { body } = await request(origin.url, { dispatcher: pool.dispatcher, headers: { host } })
      expect((await json(body)).host).toBe(host)
      await pass(20) // undici waits a turn of the event loop before it uses a socket again
    }
    expect(origin.sockets.size).toBe(2)
  })
})

describe('a device whose proxy answers one request on a connection and hangs up on the next', () => {
  test('costs callers of what may be sent again nothing, one right after the other, and is not blamed', async () => {
    await using device = await hangsUp()
    const pool = stage.open({ devices: [device.url] })
    for (let i = 0; i < 10; i++) {
      const { body, headers } = await request('http://shop.example.test/', { dispatcher: pool.dispatcher })
      expect([await body.text(), headers['x-mobilepool-attempts']]).toEqual(['fine', '1'])
    }
    // Each but the last was followed by one that it hung up on.
    expect(device.seen).toEqual({ answered: 10, hungUp: 9 })
    const { requests, devices } = pool.stats()
    expect(requests).toMatchObject({ answered: 10, failed: 0, retried: 0 })
    expect(devices).toMatchObject([{ state: 'ready', outcomes: { answered: 10 } }])
  })

  test.each([
    ['a POST', { method: 'POST' as const }, {}],
    ['a GET of who wants no retry', { method: 'GET' as const }, { retry: false as const }],
  ])('gets %s once', async (_name, options, settings) => {
    await using device = await hangsUp()
    const pool = stage.open({ devices: [device.url], ...settings })
    const send = () => request('http://shop.example.test/', { ...options, dispatcher: pool.dispatcher })
    expect(await (await send()).body.text()).toBe('fine')
    await expect(send()).rejects.toMatchObject({ code: 'MP_NO_RESPONSE' })
    expect(device.seen).toEqual({ answered: 1, hungUp: 1 })
  })
})

describe('HTTP/2 to targets', () => {
  test('is spoken where the target speaks it, one request at a time on a connection', async () => {
    const [modern, old] = [await stage.origin({ tls: true, http2: true }), await stage.origin({ tls: true })]
    const device = await stage.device('seoul-01')
    const pool = stage.pool([device], { http2: true })
    const first = await pool.fetch(modern.url, { method: 'POST', body: 'hello', headers: { 'x-mine': '1' } })
    expect(first.headers.get('x-mobilepool-device')).toBe('seoul-01')
    expect(await json(first)).toMatchObject({ httpVersion: '2.0', body: 'hello', remoteAddress: device.egress, headers: { 'x-mine': '1' } })
    expect((await json((await request(modern.url, { dispatcher: pool.dispatcher })).body)).httpVersion).toBe('2.0')
    expect((await json(await pool.fetch(old.url))).httpVersion).toBe('1.1')
    expect(await (await pool.fetch(`${modern.url}/gzip`)).text()).toBe('hello gzip')
    expect((await (await pool.fetch(`${modern.url}/bytes/3000000`)).arrayBuffer()).byteLength).toBe(3_000_000)
    await Promise.all(Array.from({ length: 5 }, async () => (await pool.fetch(`${modern.url}/slow/50`)).text()))
    expect(modern.seen.every(({ httpVersion }) => httpVersion === '2.0')).toBe(true)
    expect(modern.sockets.size).toBeGreaterThanOrEqual(5)
  })

  test('is not offered unless asked for, nor for an upgrade', async () => {
    const modern = await stage.origin({ tls: true, http2: true })
    const device = await stage.device('seoul-01')
    expect((await json(await stage.pool([device]).fetch(modern.url))).httpVersion).toBe('1.1')
    const pool = stage.pool([device], { http2: true })
    const options = { dispatcher: pool.dispatcher, protocol: 'websocket', headers: { 'sec-websocket-key': 'x' } }
    const { socket } = await upgrade(modern.url, options)
    socket.destroy()
  })

  test('keeps the pool’s promises: aborts, time-outs, retries, bans, rotations', async () => {
    const modern = await stage.origin({ tls: true, http2: true })
    const [kazan, seoul] = [await stage.device('kazan-02'), await stage.device('seoul-01')]
    const pool = stage.pool([kazan, seoul], { http2: true, timeouts: { firstByteMs: 300 } })
    modern.ban(kazan.egress)
    expect((await json(await pool.fetch(modern.url))).remoteAddress).toBe(seoul.egress)
    await expect(pool.fetch(`${modern.url}/hang`, { signal: AbortSignal.timeout(50) })).rejects.toMatchObject({ name: 'TimeoutError' })
    await expect(pool.fetch(`${modern.url}/hang`, { method: 'POST' })).rejects.toMatchObject({ code: 'MP_RESPONSE_TIMEOUT' })
    const cut = await pool.fetch(`${modern.url}/cut/200000`)
    await expect(cut.text()).rejects.toThrow()
    const head = await pool.fetch(`${modern.url}/bytes/1000`, { method: 'HEAD' })
    expect([head.headers.get('content-length'), await head.text()]).toEqual(['1000', ''])
    expect((await json(await pool.fetch(modern.url))).remoteAddress).toBe(seoul.egress)
    await eventually('both devices are free again', () => pool.stats().devices.every(({ inFlight }) => inFlight === 0))
  })

  test('ends with its generation', async () => {
    const modern = await stage.origin({ tls: true, http2: true })
    const device = await stage.device('seoul-01')
    const rotate = async () => {
      device.egress = '127.10.9.9'
      return device.egress
    }
    const pool = stage.open({ devices: [{ id: 'seoul-01', url: device.url, rotate }], http2: true })
    const before = await json(await pool.fetch(modern.url))
    const [old] = device.sockets
    await pool.rotate('seoul-01')
    await eventually('the old connection is closed', () => old?.destroyed === true)
    const after = await json(await pool.fetch(modern.url))
    expect([before.remoteAddress, after.remoteAddress, after.httpVersion]).toEqual(['127.10.1.1', '127.10.9.9', '2.0'])
  })
})

interface HangingUp extends AsyncDisposable {
  readonly url: string
  readonly seen: { answered: number; hungUp: number }
}

async function hangsUp(): Promise<HangingUp> {
  const seen = { answered: 0, hungUp: 0 }
  const server: Listening = await listen(
    createServer((socket) => {
      let isFirst = true
      socket.on('data', () => {
        seen[isFirst ? 'answered' : 'hungUp']++
        if (isFirst) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine')
        else socket.destroy()
        isFirst = false
      })
    }),
  )
  return { url: `http://127.0.0.1:${server.port}`, seen, [Symbol.asyncDispose]: () => server.close() }
}
