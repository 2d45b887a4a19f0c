import { readFileSync } from 'node:fs'
import { MobilePool } from '@mobilepool/sdk'
import { interceptors, request, stream, upgrade } from 'undici'
import { describe, expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import type { SeenRequest } from './servers/origin.ts'
import { Stage } from './stage.ts'

const stage = new Stage()

const json = async (response: { json(): Promise<unknown> }): Promise<SeenRequest> => (await response.json()) as SeenRequest

describe.each([false, true])('tls %s', (tls) => {
  test('every request leaves by a device, each in turn, over sockets that are kept', async () => {
    const origin = await stage.origin({ tls })
    const devices = [await stage.device('seoul-01'), await stage.device('moscow-07'), await stage.device('busan-03')]
    const pool = stage.pool(devices)
    const exits: string[] = []
    for (let i = 0; i < 6; i++) exits.push((await json(await fetch(`${origin.url}/?n=${i}`, { dispatcher: pool }))).remoteAddress)
    expect(exits).toEqual([...devices, ...devices].map(({ egress }) => egress))
    for (const { counts } of devices)
      expect(counts).toEqual(tls ? { connections: 1, connects: 1, requests: 0 } : { connections: 1, connects: 0, requests: 2 })
    expect(pool.stats().requests).toMatchObject({ started: 6, answered: 6, inFlight: 0, queued: 0 })
  })

  test('the target gets its own host and none of the proxy credentials, the device gets them, odd characters and all', async () => {
    const origin = await stage.origin({ tls })
    const device = await stage.device('seoul-01', { auth: 'us er:p@ss:w%rd/ü' })
    const pool = stage.pool([device])
    const seen = await json(await fetch(origin.url, { dispatcher: pool, headers: { 'x-mine': '1' } }))
    expect(seen.host).toBe(new URL(origin.url).host)
    expect(seen.headers).toMatchObject({ 'x-mine': '1' })
    expect(Object.keys(seen.headers).filter((name) => name.startsWith('proxy-'))).toEqual([])
    expect(device.lastAuthorization).toBe(`Basic ${Buffer.from('us er:p@ss:w%rd/ü').toString('base64')}`)
  })

  test('a Proxy-Authorization header of the caller never reaches the target', async () => {
    const origin = await stage.origin({ tls })
    const pool = stage.pool([await stage.device('seoul-01')])
    for (const headers of [
      { 'Proxy-Authorization': 'Basic c2VjcmV0' },
      ['proxy-authorization', 'Basic c2VjcmV0'],
      new Map([['proxy-authorization', 'x']]),
    ]) {
      const { body } = await request(origin.url, { dispatcher: pool.dispatcher, headers: headers as Record<string, string> })
      expect((await json(body)).headers['proxy-authorization']).toBeUndefined()
    }
  })

  test('bodies of every kind arrive whole', async () => {
    const origin = await stage.origin({ tls })
    const pool = stage.pool([await stage.device('seoul-01')])
    const send = async (body: RequestInit['body'], more: object = {}) =>
      json(await fetch(origin.url, { dispatcher: pool, method: 'POST', body: body ?? null, ...more }))
    const long = 'ü'.repeat(300_000)
    expect((await send('hello')).body).toBe('hello')
    expect((await send(long)).body).toBe(long)
    expect((await send(new Uint8Array([104, 105]))).body).toBe('hi')
    expect((await send(new Blob(['blob']))).body).toBe('blob')
    expect((await send(new URLSearchParams({ a: 'b' }))).body).toBe('a=b')
    const form = new FormData()
    form.set('field', 'value')
    expect((await send(form)).body).toContain('name="field"\r\n\r\nvalue')
    const parts = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('in '))
        controller.enqueue(new TextEncoder().encode('parts'))
        controller.close()
      },
    })
    expect((await send(parts, { duplex: 'half' })).body).toBe('in parts')
  })

  test('long responses come through whole, compressed ones decoded, cookies apart, redirects followed', async () => {
    const origin = await stage.origin({ tls })
    const pool = stage.pool([await stage.device('seoul-01'), await stage.device('moscow-07')])
    const long = await fetch(`${origin.url}/bytes/3000000`, { dispatcher: pool })
    expect((await long.arrayBuffer()).byteLength).toBe(3_000_000)
    expect(await (await fetch(`${origin.url}/gzip`, { dispatcher: pool })).text()).toBe('hello gzip')
    const cookies = await fetch(`${origin.url}/cookies`, { dispatcher: pool })
    expect(cookies.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
    await cookies.text()
    const redirected = await fetch(`${origin.url}/redirect`, { dispatcher: pool })
    expect([redirected.redirected, (await json(redirected)).url]).toEqual([true, '/'])
    const head = await fetch(origin.url, { dispatcher: pool, method: 'HEAD' })
    expect([head.status, await head.text()]).toEqual([200, ''])
  })

  test('a reader that stops stops the target', async () => {
    const origin = await stage.origin({ tls })
    const pool = stage.pool([await stage.device('seoul-01')])
    const { body } = await request(`${origin.url}/bytes/60000000`, { dispatcher: pool.dispatcher })
    const [socket] = origin.sockets
    let written = -1
    await eventually('the target stops writing', () => {
      const before = written
      written = socket?.bytesWritten ?? 0
      return written === before && written > 0
    })
    expect(written).toBeLessThan(50_000_000)
    let bytes = 0
    for await (const chunk of body) bytes += (chunk as Buffer).length
    expect(bytes).toBe(60_000_000)
  })

  test('an abort reaches a request that is connecting, waits for an answer, or is in the middle of one', async () => {
    const origin = await stage.origin({ tls })
    const device = await stage.device('kazan-02')
    const pool = stage.pool([device])
    device.fault = { kind: 'hang_accept' }
    const connecting = fetch(origin.url, { dispatcher: pool, signal: AbortSignal.timeout(100) })
    await expect(connecting).rejects.toMatchObject({ name: 'TimeoutError' })
    await eventually('the half-open connection is closed', () => device.sockets.size === 0)
    device.fault = null
    const waiting = request(`${origin.url}/hang`, { dispatcher: pool.dispatcher, signal: AbortSignal.timeout(100) })
    await expect(waiting).rejects.toMatchObject({ name: 'TimeoutError' })
    const abort = new AbortController()
    const reading = await fetch(`${origin.url}/stream/5000`, { dispatcher: pool, signal: abort.signal })
    abort.abort()
    await expect(reading.text()).rejects.toMatchObject({ name: 'AbortError' })
    await eventually('the device is free again', () => pool.stats().devices.every(({ inFlight }) => inFlight === 0))
    expect(pool.stats().requests).toMatchObject({ started: 3, aborted: 3, inFlight: 0 })
  })

  test('responses tell who answered, unless that is switched off', async () => {
    const origin = await stage.origin({ tls })
    const device = await stage.device('seoul-01')
    const named = stage.open({ devices: [{ id: '서울-01', url: device.url }] })
    const shown = await fetch(origin.url, { dispatcher: named })
    await shown.text()
    expect(decodeURIComponent(shown.headers.get('x-mobilepool-device') ?? '')).toBe('서울-01')
    expect(shown.headers.get('x-mobilepool-attempts')).toBe('1')
    const { headers, body } = await request(origin.url, { dispatcher: named.dispatcher })
    await body.dump()
    expect(headers['x-mobilepool-attempts']).toBe('1')
    const silent = await fetch(origin.url, { dispatcher: stage.pool([device], { exposeHeaders: false }) })
    await silent.text()
    expect([...silent.headers.keys()].filter((name) => name.startsWith('x-mobilepool'))).toEqual([])
  })

  test('a WebSocket goes through CONNECT, and ends with the pool', async () => {
    const origin = await stage.origin({ tls })
    const device = await stage.device('seoul-01')
    const pool = stage.pool([device])
    const { socket } = await upgrade(origin.url, {
      dispatcher: pool.dispatcher,
      protocol: 'websocket',
      headers: { 'sec-websocket-key': 'x' },
    })
    socket.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]))
    const [frame] = (await new Promise((resolve) => socket.once('data', (...data) => resolve(data)))) as [Buffer]
    expect(frame.subarray(2).toString()).toBe('hi')
    expect(device.counts).toMatchObject({ connects: 1, requests: 0 })
    expect(pool.stats().devices[0]?.inFlight).toBe(1)
    const closed = new Promise((resolve) => socket.once('close', resolve))
    await pool.destroy()
    await closed
  })
})

test('CONNECT for everything, where a device wants that', async () => {
  const origin = await stage.origin()
  const device = await stage.device('seoul-01')
  const pool = stage.open({ devices: [{ url: device.url, tunnel: 'always' }] })
  expect((await json(await fetch(origin.url, { dispatcher: pool }))).remoteAddress).toBe(device.egress)
  expect(device.counts).toMatchObject({ connects: 1, requests: 0 })
})

test('a device may be an https:// proxy', async () => {
  const [plain, secure] = [await stage.origin(), await stage.origin({ tls: true })]
  const device = await stage.device('seoul-01', { tls: true, auth: 'u:p' })
  const pool = stage.pool([device], { proxyTls: { rejectUnauthorized: false } })
  for (const { url } of [plain, secure, plain])
    expect((await json(await fetch(url, { dispatcher: pool }))).remoteAddress).toBe(device.egress)
  expect(device.counts).toEqual({ connections: 2, connects: 1, requests: 2 })
})

test("undici's own ways in work: stream, the pool's methods, compose with redirect, retry, cache and dns", async () => {
  const origin = await stage.origin()
  const device = await stage.device('seoul-01')
  const pool = stage.pool([device])
  const chunks: Buffer[] = []
  const { Writable } = await import('node:stream')
  const sink = new Writable({ write: (chunk: Buffer, _encoding, done) => done(chunks.push(chunk) > 0 ? null : undefined) })
  await stream(`${origin.url}/bytes/10`, { dispatcher: pool.dispatcher, method: 'GET' }, () => sink)
  expect(Buffer.concat(chunks).toString()).toBe('xxxxxxxxxx')
  const { body } = await pool.dispatcher.request({ origin: origin.url, path: '/bytes/3', method: 'GET' })
  expect(await body.text()).toBe('xxx')

  const composed = pool.dispatcher
    .compose(interceptors.redirect({ maxRedirections: 3 }), interceptors.retry(), interceptors.dns())
    .compose(interceptors.cache())
  const redirected = await request(`${origin.url}/redirect`, { dispatcher: composed })
  expect((await json(redirected.body)).url).toBe('/')
  const failing = await request(`${origin.url}/status/404`, { dispatcher: composed })
  expect([failing.statusCode, await failing.body.text()]).toEqual([404, 'status 404'])
  expect(device.counts.requests).toBe(5)
  await expect(async () => pool.dispatcher.compose('no interceptor')).rejects.toThrow(TypeError)
})

test('installGlobal leads every fetch of the process through the pool, and can be undone', async () => {
  const origin = await stage.origin()
  const device = await stage.device('seoul-01')
  const pool = stage.pool([device])
  const installed = pool.installGlobal()
  try {
    expect((await json(await fetch(origin.url))).remoteAddress).toBe(device.egress)
    expect((await json((await request(origin.url)).body)).remoteAddress).toBe(device.egress)
  } finally {
    installed[Symbol.dispose]()
  }
  expect((await json(await fetch(origin.url))).remoteAddress).toBe('127.0.0.1')
})

test('pool.fetch throws what happened, not "fetch failed"', async () => {
  const pool = stage.open({ devices: [] })
  await expect(pool.fetch('http://127.0.0.1:40009/')).rejects.toMatchObject({
    name: 'MobilePoolError',
    code: 'MP_NO_DEVICE',
    phase: 'pick',
  })
  await expect(fetch('http://127.0.0.1:40009/', { dispatcher: pool })).rejects.toMatchObject({
    message: 'fetch failed',
    cause: { code: 'MP_NO_DEVICE' },
  })
})

test('a pool without devices never goes direct', async () => {
  const origin = await stage.origin()
  const pool = stage.open({ devices: [] })
  await expect(pool.fetch(origin.url)).rejects.toThrow('the pool has no device')
  expect(origin.sockets.size).toBe(0)
})

test('what cannot be a request is refused: to its handler, or to whoever gave none', async () => {
  const pool = stage.open({ devices: [] })
  const dispatcher = pool.dispatcher
  expect(() => dispatcher.dispatch({ origin: 'http://a', path: '/', method: 'GET' }, undefined)).toThrow('handler must be an object')
  const refused = new Promise<Error>((resolve) => {
    dispatcher.dispatch({ origin: 'ftp://a', path: '/', method: 'GET' }, { onConnect() {}, onError: resolve })
  })
  expect(await refused).toMatchObject({ code: 'UND_ERR_INVALID_ARG' })
  const origin = await stage.origin()
  const ok = stage.pool([await stage.device('seoul-01')])
  await expect(request(origin.url, { dispatcher: ok.dispatcher, headers: { 'bad header': 'x' } })).rejects.toMatchObject({
    code: 'UND_ERR_INVALID_ARG',
  })
  expect(ok.stats().devices[0]).toMatchObject({ inFlight: 0, faults: 0 })
})

test('a listener that throws does not break the request in whose course it is called', async () => {
  const origin = await stage.origin()
  const [omsk, seoul] = [await stage.device('omsk-05'), await stage.device('seoul-01')]
  origin.ban(omsk.egress)
  const pool = stage.pool([omsk, seoul])
  pool.on('ban', () => {
    throw new Error('listener')
  })
  const listeners = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  const uncaught = new Promise<Error>((resolve) => process.once('uncaughtException', resolve))
  try {
    expect((await fetch(origin.url, { dispatcher: pool })).status).toBe(200)
    expect((await uncaught).message).toBe('listener')
  } finally {
    for (const listener of listeners) process.on('uncaughtException', listener)
  }
})

test('the package names the exact undici that its deep paths are true for', () => {
  const { dependencies } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    dependencies: Record<string, string>
  }
  expect(dependencies.undici).toBe('7.30.2')
  expect(typeof MobilePool).toBe('function')
})
