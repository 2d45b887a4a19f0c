import { request } from 'undici'
import { describe, expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import { localhostCertificate } from './servers/certificate.ts'
import type { SeenRequest } from './servers/origin.ts'
import { collect, Stage } from './stage.ts'

const stage = new Stage()

const json = async (response: { json(): Promise<unknown> }): Promise<SeenRequest> => (await response.json()) as SeenRequest

describe.each([false, true])('a SOCKS5 device, tls to the target %s', (tls) => {
  test('carries requests through tunnels that are kept, and resolves names itself', async () => {
    const origin = await stage.origin({ tls })
    const device = await stage.socksDevice('seoul-01', { auth: 'us er:p@ss:w%rd/ü', hosts: { 'shop.example.test': '127.0.0.1' } })
    const pool = stage.pool([device])
    const url = `${tls ? 'https' : 'http'}://shop.example.test:${origin.port}/`
    for (let i = 0; i < 5; i++) {
      const seen = await json(await pool.fetch(url, { headers: { 'proxy-authorization': 'x' } }))
      expect(seen).toMatchObject({ remoteAddress: device.egress, host: `shop.example.test:${origin.port}` })
      expect(seen.headers['proxy-authorization']).toBeUndefined()
    }
    for (const asked of device.asked) expect(asked).toEqual({ type: 3, address: 'shop.example.test', port: origin.port })
    // undici waits one turn of the event loop before it uses a socket again, and whoever asks at once gets another.
    expect(device.asked.length).toBeLessThanOrEqual(2)
    expect((await json(await pool.fetch(url, { method: 'POST', body: 'posted' }))).body).toBe('posted')
    expect(device.lastCredentials).toBe('us er:p@ss:w%rd/ü')
  })

  test('that answers byte by byte, with an address of any kind, serves all the same', async () => {
    const origin = await stage.origin({ tls })
    for (const boundType of [1, 3, 4] as const) {
      const device = await stage.socksDevice('busan-03', { auth: 'u:', isDribbling: true, boundType })
      expect((await json(await stage.pool([device]).fetch(origin.url))).remoteAddress).toBe(device.egress)
      expect(device.asked).toMatchObject([{ type: 1, address: '127.0.0.1' }])
    }
  })
})

test('a SOCKS5 device reaches a target by its IPv6 address', async () => {
  const origin = await stage.origin({ host: '::1' })
  const device = await stage.socksDevice('seoul-01')
  expect((await json(await stage.pool([device]).fetch(origin.url))).host).toBe(`[::1]:${origin.port}`)
  expect(device.asked).toEqual([{ type: 4, address: '0:0:0:0:0:0:0:1', port: origin.port }])
})

describe.each(['http', 'https'] as const)('a target that is given by its IPv6 address, %s', (scheme) => {
  test.each(['auto', 'always'] as const)('is reached with tunnel: %s', async (tunnel) => {
    const origin = await stage.origin({ host: '::1', tls: scheme === 'https' })
    const device = await stage.device('seoul-01', { egress: '::1' })
    const pool = stage.open({ devices: [{ id: device.id, url: device.url, tunnel }] })
    const posted = await json(await pool.fetch(`${origin.url}/a?b=1`, { method: 'POST', body: 'x' }))
    expect(posted).toMatchObject({ host: `[::1]:${origin.port}`, url: '/a?b=1', remoteAddress: '::1', body: 'x' })
    const isTunnel = scheme === 'https' || tunnel === 'always'
    expect(device.counts).toMatchObject(isTunnel ? { connects: 1, requests: 0 } : { connects: 0, requests: 1 })
  })
})

test.each([
  [{ kind: 'reply', code: 5 }, 'tunnel_refused'],
  [{ kind: 'reply', code: 4 }, 'tunnel_refused'],
  [{ kind: 'reply', code: 1 }, 'tunnel_refused'],
  [{ kind: 'reply', code: 7 }, 'device_connect'],
  [{ kind: 'drop' }, 'tunnel_dropped'],
  [{ kind: 'garbage' }, 'tunnel_dropped'],
  [{ kind: 'method', method: 0xff }, 'device_auth'],
  [{ kind: 'hang_accept' }, 'tunnel_timeout'],
  [{ kind: 'hang_method' }, 'tunnel_timeout'],
  [{ kind: 'hang_reply' }, 'tunnel_timeout'],
] as const)('what a SOCKS5 device does wrong costs no request, not even a POST: %j is %s', async (fault, kind) => {
  const origin = await stage.origin()
  const [kazan, seoul] = [await stage.socksDevice('kazan-02'), await stage.device('seoul-01')]
  kazan.fault = fault
  const pool = stage.pool([kazan, seoul], { timeouts: { connectMs: 300 }, hedge: false })
  const retries = collect(pool, 'retry')
  expect((await json(await pool.fetch(`${origin.url}/?id=1`, { method: 'POST', body: 'x' }))).remoteAddress).toBe(seoul.egress)
  expect(retries).toMatchObject([{ attempt: { device: 'kazan-02', kind } }])
  expect(origin.ids.get('1')).toBe(1)
})

test('wrong SOCKS5 credentials are an error that says so and does not show them', async () => {
  const origin = await stage.origin()
  const device = await stage.socksDevice('seoul-01', { auth: 'user:right' })
  const pool = stage.open({ devices: [device.url.replace('right', 'wr0ng')], retry: false })
  const error = await pool.fetch(origin.url).catch((reason: unknown) => reason)
  expect(error).toMatchObject({ code: 'MP_DEVICE_AUTH', attempts: [{ kind: 'device_auth' }] })
  expect(JSON.stringify([error, String(error)])).not.toContain('wr0ng')
})

test('an abort reaches a SOCKS5 handshake', async () => {
  const origin = await stage.origin()
  const device = await stage.socksDevice('kazan-02')
  device.fault = { kind: 'hang_reply' }
  const pool = stage.pool([device])
  await expect(pool.fetch(origin.url, { signal: AbortSignal.timeout(100) })).rejects.toMatchObject({ name: 'TimeoutError' })
  await eventually('the half-open connection is closed', () => device.sockets.size === 0)
})

test.each(['http', 'https', 'socks5'] as const)('a device may be reached by its IPv6 address: %s', async (scheme) => {
  const [plain, secure] = [await stage.origin(), await stage.origin({ tls: true })]
  const options = { auth: 'u%:p@[]/ж', host: '::1' }
  const device =
    scheme === 'socks5'
      ? await stage.socksDevice('seoul-01', options)
      : await stage.device('seoul-01', { ...options, tls: scheme === 'https' })
  expect(device.url).toContain('@[::1]:')
  const pool = stage.pool([device], { proxyTls: { ca: localhostCertificate.cert } })
  for (const { url } of [plain, secure]) expect((await json(await pool.fetch(url))).remoteAddress).toBe(device.egress)
})

describe('an https:// proxy', () => {
  test.each([
    ['localhost', 'localhost'],
    ['127.0.0.1', false],
  ])('that is reached as %s is told the name %s and checked against the CA given', async (host, servername) => {
    const [plain, secure] = [await stage.origin(), await stage.origin({ tls: true })]
    const device = await stage.device('seoul-01', { tls: true, auth: 'user:' })
    const devices = [device.url.replace('127.0.0.1', host)]
    const pool = stage.open({ devices, proxyTls: { ca: localhostCertificate.cert } })
    for (const { url } of [plain, secure]) expect((await json(await pool.fetch(url))).remoteAddress).toBe(device.egress)
    expect(device.serverNames).toEqual([servername, servername])

    const unchecked = stage.open({ devices, retry: false })
    await expect(unchecked.fetch(plain.url)).rejects.toMatchObject({ code: 'MP_DEVICE_CONNECT', errno: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
    expect(plain.seen).toHaveLength(1)
  })

  test('gives its own CA no say over targets, nor the targets’ over it', async () => {
    const secure = await stage.origin({ tls: true })
    const device = await stage.device('seoul-01', { tls: true })
    const pool = stage.pool([device], { retry: false, requestTls: {}, proxyTls: { ca: localhostCertificate.cert } })
    await expect(request(secure.url, { dispatcher: pool.dispatcher })).rejects.toMatchObject({ code: 'MP_TARGET_TLS' })
  })
})
