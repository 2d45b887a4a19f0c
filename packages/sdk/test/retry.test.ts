import { MobilePoolError } from '@mobilepool/sdk'
import { request } from 'undici'
import { describe, expect, test } from 'vitest'
import type { Fault } from './servers/fault.ts'
import type { SeenRequest } from './servers/origin.ts'
import { collect, Stage } from './stage.ts'

const stage = new Stage()

const quick = { connectMs: 300, firstByteMs: 500 }

const streamOf = (text: string) =>
  new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(text))
      controller.close()
    },
  })

const errorOf = async (promise: Promise<unknown>): Promise<MobilePoolError> => {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof MobilePoolError)) throw new Error(`not a MobilePoolError: ${String(error)}`)
  return error
}

const post = (url: string, body: string, id: string) => [`${url}/?id=${id}`, { method: 'POST', body }] as const

/** What fails before the request line is written is repeated for every method. */
const beforeSending: [string, Fault | 'refuse', string][] = [
  ['refuses connections', 'refuse', 'device_connect'],
  ['hangs at accept', { kind: 'hang_accept' }, 'tunnel_timeout'],
  ['hangs at CONNECT', { kind: 'hang_connect' }, 'tunnel_timeout'],
  ['drops the connection', { kind: 'drop' }, 'tunnel_dropped'],
  ['resets it', { kind: 'reset', afterBytes: 0 }, 'tunnel_dropped'],
  ['answers garbage', { kind: 'garbage' }, 'tunnel_dropped'],
  ['answers CONNECT with 502', { kind: 'status', status: 502 }, 'tunnel_refused'],
  ['wants other credentials', { kind: 'status', status: 407 }, 'device_auth'],
  ['is draining', { kind: 'status', status: 503, headers: { 'x-mobilepool-error': 'draining' } }, 'draining'],
  ['is offline', { kind: 'status', status: 503, headers: { 'x-mobilepool-error': 'device_offline' } }, 'device_offline'],
  ['hangs in the TLS handshake', { kind: 'hang_header' }, 'tunnel_timeout'],
]

describe.each(beforeSending)('https through a device that %s', (_what, fault, kind) => {
  test.each(['GET', 'POST'])('a %s is answered by another device, and reaches the target once', async (method) => {
    const origin = await stage.origin({ tls: true })
    const [bad, good] = [await stage.device('moscow-07'), await stage.device('seoul-01')]
    if (fault === 'refuse') await bad.refuse()
    else bad.fault = fault
    const pool = stage.pool([bad, good], { timeouts: quick, hedge: false })
    const retries = collect(pool, 'retry')
    const body = method === 'POST' ? streamOf('streamed') : null
    const response = await pool.fetch(`${origin.url}/?id=1`, { method, body, duplex: 'half' } as RequestInit)
    const seen = (await response.json()) as SeenRequest
    expect([seen.remoteAddress, seen.body]).toEqual([good.egress, method === 'POST' ? 'streamed' : ''])
    expect(origin.ids.get('1')).toBe(1)
    expect(retries.map(({ attempt }) => [attempt.device, attempt.kind])).toEqual([['moscow-07', kind]])
    expect(response.headers.get('x-mobilepool-attempts')).toBe('2')
  })
})

/** What fails after the request was sent is repeated for idempotent methods. */
const afterSending: [string, Fault, boolean, string][] = [
  ['never answers', { kind: 'hang_connect' }, false, 'response_timeout'],
  ['passes on nothing of the answer', { kind: 'hang_header' }, false, 'response_timeout'],
  ['drops the connection', { kind: 'drop' }, false, 'no_response'],
  ['resets it', { kind: 'reset', afterBytes: 0 }, false, 'no_response'],
  ['answers garbage', { kind: 'garbage' }, false, 'no_response'],
]

describe.each(afterSending)('plain http through a device that %s', (_what, fault, _tls, kind) => {
  test('a GET is answered by another device', async () => {
    const origin = await stage.origin()
    const [bad, good] = [await stage.device('moscow-07'), await stage.device('seoul-01')]
    bad.fault = fault
    const pool = stage.pool([bad, good], { timeouts: quick, hedge: false })
    const response = await pool.fetch(origin.url)
    expect(((await response.json()) as SeenRequest).remoteAddress).toBe(good.egress)
  })

  test('a POST is not sent twice, and its error says where it ended', async () => {
    const origin = await stage.origin()
    const [bad, good] = [await stage.device('moscow-07'), await stage.device('seoul-01')]
    bad.fault = fault
    const pool = stage.pool([bad, good], { timeouts: quick, hedge: false })
    const error = await errorOf(pool.fetch(...post(origin.url, 'once', '1')))
    expect(error).toMatchObject({ code: kind === 'response_timeout' ? 'MP_RESPONSE_TIMEOUT' : 'MP_NO_RESPONSE', deviceId: 'moscow-07' })
    expect(error.attempts.map(({ device, kind: each }) => [device, each])).toEqual([['moscow-07', kind]])
    expect(good.counts.requests).toBe(0)
    expect(origin.ids.get('1') ?? 0).toBeLessThanOrEqual(1)
  })

  test.each([
    ['its Idempotency-Key', { headers: { 'idempotency-key': 'abc' } }, {}],
    ["methods: 'all'", {}, { retry: { methods: 'all' as const } }],
  ])('a POST is repeated because of %s, with its body', async (_why, init, options) => {
    const origin = await stage.origin()
    const [bad, good] = [await stage.device('moscow-07'), await stage.device('seoul-01')]
    bad.fault = fault
    const pool = stage.pool([bad, good], { timeouts: quick, hedge: false, ...options })
    const response = await pool.fetch(origin.url, { method: 'POST', body: 'again', ...init })
    expect(await response.json()).toMatchObject({ remoteAddress: good.egress, body: 'again' })
  })
})

describe('a device that says itself that it did not forward the request', () => {
  test.each([
    ['draining', 503],
    ['device_offline', 503],
    ['offline', 503],
    ['connection_refused', 594],
    ['dns_failed', 593],
  ])('(%s) a POST goes to another one', async (code, status) => {
    const origin = await stage.origin()
    const [bad, good] = [await stage.device('busan-03'), await stage.device('seoul-01')]
    bad.fault = { kind: 'status', status, headers: { 'x-mobilepool-error': code } }
    const pool = stage.pool([bad, good])
    const response = await pool.fetch(...post(origin.url, 'kept', '1'))
    expect(await response.json()).toMatchObject({ remoteAddress: good.egress, body: 'kept' })
    expect(origin.ids.get('1')).toBe(1)
    expect(pool.stats().devices[0]?.faults).toBe(code === 'draining' ? 0 : 1)
  })

  test('a request whose body cannot be sent again fails, with the device’s word as the error and not as the response', async () => {
    const origin = await stage.origin()
    const bad = await stage.device('busan-03')
    bad.fault = { kind: 'status', status: 503, headers: { 'x-mobilepool-error': 'draining' } }
    const pool = stage.pool([bad, await stage.device('seoul-01')])
    const body = streamOf('once')
    const error = await errorOf(pool.fetch(origin.url, { method: 'POST', body, duplex: 'half' } as RequestInit))
    expect(error.code).toBe('MP_DEVICE_DRAINING')
  })

  test('the only device is waited for while it drains', async () => {
    const origin = await stage.origin()
    const only = await stage.device('busan-03')
    only.fault = { kind: 'status', status: 503, headers: { 'x-mobilepool-error': 'draining' } }
    const pool = stage.pool([only])
    const states: string[] = []
    pool.on('retry', () => {
      states.push(pool.stats().devices[0]?.state ?? '')
      if (states.length === 4) only.fault = null
    })
    const response = await pool.fetch(...post(origin.url, 'patience', '1'))
    expect(await response.json()).toMatchObject({ body: 'patience' })
    expect(states).toEqual(['fenced', 'fenced', 'fenced', 'fenced'])
  })

  test('inside a tunnel the same header is the target’s word, and is delivered', async () => {
    const origin = await stage.origin({ tls: true })
    const pool = stage.pool([await stage.device('seoul-01'), await stage.device('moscow-07')], { retry: { statuses: [] } })
    const response = await pool.fetch(`${origin.url}/status/503`)
    expect([response.status, response.headers.get('x-mobilepool-attempts')]).toEqual([503, '1'])
    await response.text()
  })

  test('a 407 of the device is an error that says what to check, never the credentials', async () => {
    const origin = await stage.origin()
    const device = await stage.device('seoul-01', { auth: 'user:right' })
    const pool = stage.open({ devices: [device.url.replace('right', 'wr0ng')] })
    const error = await errorOf(pool.fetch(origin.url))
    expect(error.attempts.every(({ kind }) => kind === 'device_auth')).toBe(true)
    expect((error.cause as Error).message).toContain('check the user and password in its URL')
    expect(JSON.stringify([error.message, error.attempts, String(error.cause)])).not.toContain('wr0ng')
  })
})

describe('a response that has begun', () => {
  test.each([
    ['is cut by the target', null, '/cut/1000'],
    ['stops and is reset', { kind: 'reset', afterBytes: 50_000 } as Fault, '/bytes/500000'],
  ])('and %s is never repeated or spliced', async (_what, fault, path) => {
    for (const tls of [false, true]) {
      const origin = await stage.origin({ tls })
      const [bad, good] = [await stage.device('moscow-07'), await stage.device('seoul-01')]
      bad.fault = fault
      const pool = stage.pool([bad, good])
      const { body } = await request(origin.url + path, { dispatcher: pool.dispatcher })
      const error = await errorOf(body.text())
      expect(error).toMatchObject({ code: 'MP_RESPONSE_BROKEN', phase: 'body', deviceId: 'moscow-07' })
      expect(good.counts).toMatchObject({ connects: 0, requests: 0 })
    }
  })

  test('a length that does not hold is an error', async () => {
    const origin = await stage.origin()
    const device = await stage.device('moscow-07')
    device.fault = { kind: 'wrong_length' }
    const response = await stage.pool([device]).fetch(`${origin.url}/bytes/100`)
    await expect(response.text()).rejects.toMatchObject({ cause: { code: 'MP_RESPONSE_BROKEN' } })
  })

  test('a slow device is only slow', async () => {
    const origin = await stage.origin()
    const device = await stage.device('kazan-02')
    device.fault = { kind: 'slow', ms: 50 }
    const response = await stage.pool([device]).fetch(`${origin.url}/bytes/200000`)
    expect((await response.text()).length).toBe(200_000)
  })
})

describe('how often', () => {
  test('after the last attempt the error names every one of them', async () => {
    const origin = await stage.origin()
    const devices = [
      await stage.device('seoul-01'),
      await stage.device('moscow-07'),
      await stage.device('busan-03'),
      await stage.device('kazan-02'),
    ]
    for (const device of devices) await device.refuse()
    const error = await errorOf(stage.pool(devices).fetch(origin.url))
    expect(error.code).toBe('MP_RETRIES_EXHAUSTED')
    expect(error.attempts.map(({ device, kind, errno }) => [device, kind, errno])).toEqual(
      ['seoul-01', 'moscow-07', 'busan-03'].map((id) => [id, 'device_connect', 'ECONNREFUSED']),
    )
    expect(error.message).toContain('seoul-01 device_connect ECONNREFUSED')
    expect(error.cause).toMatchObject({ code: 'MP_DEVICE_CONNECT', errno: 'ECONNREFUSED', deviceId: 'busan-03' })
  })

  test('a single device is tried again itself', async () => {
    const origin = await stage.origin()
    const device = await stage.device('moscow-07')
    device.fault = { kind: 'drop' }
    const pool = stage.pool([device])
    pool.once('retry', () => {
      device.fault = null
    })
    expect((await pool.fetch(origin.url)).status).toBe(200)
  })

  test('retry: false sends every request once', async () => {
    const origin = await stage.origin()
    const [bad, good] = [await stage.device('moscow-07'), await stage.device('seoul-01')]
    await bad.refuse()
    const error = await errorOf(stage.pool([bad, good], { retry: false }).fetch(origin.url))
    expect(error).toMatchObject({ code: 'MP_DEVICE_CONNECT', errno: 'ECONNREFUSED' })
    expect(error.attempts).toHaveLength(1)
  })

  test("a target's 502 is tried elsewhere, and delivered when it is no better there", async () => {
    const origin = await stage.origin()
    const devices = [await stage.device('seoul-01'), await stage.device('moscow-07')]
    const pool = stage.pool(devices)
    const response = await pool.fetch(`${origin.url}/status/502`)
    expect([response.status, await response.text()]).toEqual([502, 'status 502'])
    expect(origin.seen).toHaveLength(2)
    const posted = await pool.fetch(`${origin.url}/status/502`, { method: 'POST', body: 'x' })
    expect([posted.status, await posted.text()]).toEqual([502, 'status 502'])
    expect(origin.seen).toHaveLength(3)
    expect(pool.stats().devices.map(({ faults }) => faults)).toEqual([0, 0])
  })

  test('a target that is down does not get the traffic three times over: the budget ends', async () => {
    const origin = await stage.origin()
    const pool = stage.pool([await stage.device('seoul-01'), await stage.device('moscow-07'), await stage.device('busan-03')], {
      retry: { budget: 0.1 },
    })
    for (let i = 0; i < 100; i++) await (await pool.fetch(`${origin.url}/status/503`)).text()
    expect(origin.seen.length).toBeLessThanOrEqual(100 + 10 + 10 + 1)
    expect(origin.seen.length).toBeGreaterThan(110)
  })

  test("the caller's own headersTimeout goes before timeouts.firstByteMs, longer or shorter", async () => {
    const origin = await stage.origin()
    const pool = stage.pool([await stage.device('seoul-01')], { timeouts: { firstByteMs: 200 }, retry: false })
    const { body } = await request(`${origin.url}/slow/500`, { dispatcher: pool.dispatcher, headersTimeout: 20_000 })
    expect(await body.text()).toBe('slow')
    const unlimited = await request(`${origin.url}/slow/500`, { dispatcher: pool.dispatcher, headersTimeout: 0 })
    expect(await unlimited.body.text()).toBe('slow')
    expect(await errorOf(request(`${origin.url}/slow/5000`, { dispatcher: pool.dispatcher }))).toMatchObject({
      code: 'MP_RESPONSE_TIMEOUT',
    })
  })

  test('a handler that throws gets its own error, and no device is blamed', async () => {
    const origin = await stage.origin()
    const pool = stage.pool([await stage.device('seoul-01')])
    const failure = new Promise<Error>((resolve) => {
      pool.dispatcher.dispatch(
        { origin: origin.url, path: '/', method: 'GET' },
        {
          onRequestStart() {},
          onResponseStart() {
            throw new Error('in the handler')
          },
          onResponseError: (_controller: object, error: Error) => resolve(error),
        },
      )
    })
    expect((await failure).message).toBe('in the handler')
    expect(pool.stats().devices[0]).toMatchObject({ faults: 0, inFlight: 0 })
  })

  test("an error of the caller's own body is the caller's, and no device's", async () => {
    const origin = await stage.origin()
    const pool = stage.pool([await stage.device('seoul-01'), await stage.device('moscow-07')])
    async function* body(): AsyncGenerator<string> {
      yield 'a'
      throw new Error('disk full')
    }
    const sent = request(origin.url, { method: 'PUT', body: body() as never, dispatcher: pool.dispatcher })
    await expect(sent).rejects.toThrow('disk full')
    const stated = request(origin.url, {
      method: 'PUT',
      body: body() as never,
      headers: { 'content-length': '2' },
      dispatcher: pool.dispatcher,
    })
    await expect(stated).rejects.toThrow('disk full')
    expect(pool.stats().devices.map(({ faults, requests }) => [faults, requests])).toEqual([
      [0, 1],
      [0, 0],
    ])
  })
})
