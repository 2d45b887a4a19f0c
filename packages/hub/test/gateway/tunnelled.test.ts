import { once } from 'node:events'
import { createServer as createHttpServer, type Server } from 'node:http'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { ProxyAgent, WebSocket } from 'undici'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { NameServer } from '../../../agent/test/name-server.ts'
import { curl, seenIn } from '../../../sdk/test/curl.ts'
import { type Origin, startOrigin } from '../../../sdk/test/servers/origin.ts'
import { sharedPostgres } from '../hub.ts'
import { type DeafTarget, startDeafTarget } from './deaf-target.ts'
import { type GatewayStage, startGatewayStage } from './gateway-stage.ts'
import { startTunnelledDevice, type TunnelledDevice } from './tunnelled-device.ts'

/** Devices that have no proxy URL: the gateway reaches them by the tunnels that their agents dialled, and by nothing else. */
let stage: GatewayStage
let http: Origin
let https: Origin
let seoul: TunnelledDevice
let busan: TunnelledDevice
/** What seoul's carrier has for names. */
const carrier = new NameServer()
let deaf: DeafTarget | null = null
const EXITS = ['127.10.41.1', '127.10.42.1']

/** Tells who asks; for the hub's own measurements. */
let echo: Server
const echoSaw: string[] = []

beforeAll(async () => {
  echo = createHttpServer((request, response) => {
    echoSaw.push(request.socket.remoteAddress ?? '')
    response.end(request.socket.remoteAddress)
  }).listen(0, '127.0.0.1')
  await once(echo, 'listening')
  stage = await startGatewayStage({
    tunnelPingMs: 500,
    exitIpUrl: `http://127.0.0.1:${(echo.address() as AddressInfo).port}/`,
    rotationDrainMs: 50,
    rotationTimeoutMs: 5_000,
  })
  ;[http, https] = await Promise.all([startOrigin(), startOrigin({ tls: true })])
  seoul = await startTunnelledDevice(() => stage.hub, 'seoul-01', '127.10.41.1', { nameServers: [await carrier.start()] })
  busan = await startTunnelledDevice(() => stage.hub, 'busan-03', '127.10.42.1')
})
afterAll(async () => {
  await Promise.all([seoul, busan].map((device) => device.remove()))
  await stage.close()
  await Promise.all([http, https].map((origin) => origin.close()))
  echo.close()
  await carrier.stop()
  deaf?.close()
})

const ask = (userName: string, url = http.url, ...options: string[]) => curl(...options, '-x', stage.proxy(userName), url)
const device = async (name: string) => (await stage.hub.ask(`/api/v1/admin/devices/${name}`, { key: 'admin' })).json
const maintain = (name: string, maintenance: boolean) =>
  stage.hub.ask(`/api/v1/admin/devices/${name}`, { method: 'PATCH', key: 'admin', body: { maintenance } })
/** A port that nobody listens on. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

describe('programs with a proxy URL and nothing else', () => {
  test.each(['http', 'socks5', 'socks5h'])('curl by %s gets http and https pages by the device’s exit', async (scheme) => {
    for (const { url } of [http, https])
      for (const options of scheme === 'http' ? [[], ['--proxytunnel']] : [[]]) {
        const proxy = stage.proxy('anna-device-seoul-01').replace('http:', `${scheme}:`)
        const answer = await curl(...options, '-x', proxy, url)
        expect(answer).toMatchObject({ exit: 0, status: 200 })
        expect(seenIn(answer).remoteAddress).toBe('127.10.41.1')
      }
  })

  test('an answer says which device it came through', async () => {
    const answer = await ask('anna-device-busan-03')
    expect(answer.head).toMatch(/^x-mobilepool-device: busan-03\r$/im)
    expect(answer.head).toMatch(/^x-mobilepool-ip: 127\.10\.42\.1\r$/im)
  })

  test('a WebSocket, in clear and over TLS', async () => {
    for (const origin of [http, https]) {
      const { origin: uri, username, password } = new URL(stage.proxy('anna-session-ws'))
      const token = `Basic ${Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')}`
      const dispatcher = new ProxyAgent({ uri, token, requestTls: { rejectUnauthorized: false } })
      const socket = new WebSocket(`${origin.url.replace('http', 'ws')}/chat`, { dispatcher })
      await once(socket, 'open')
      const message = once(socket, 'message')
      socket.send('by the tunnel')
      expect(((await message) as [MessageEvent])[0].data).toBe('by the tunnel')
      const closed = once(socket, 'close')
      socket.close()
      await closed
      await dispatcher.close()
    }
  })
})

describe('clients of the API', () => {
  test('are told that the gateway reaches it, by a URL that works with their key as the password', async () => {
    const json = await device('seoul-01')
    expect(json).toMatchObject({ proxy_url: null, ip_address: null, reach: 'gateway', gateway_url: expect.stringContaining(seoul.id) })
    const proxy = new URL(json.gateway_url)
    proxy.password = stage.key
    expect(seenIn(await curl('-x', proxy.href, http.url)).remoteAddress).toBe('127.10.41.1')
  })

  test('get lists of proxies with it', async () => {
    const { text } = await stage.hub.ask('/api/v1/proxy/list?format=txt', { key: stage.key })
    const exits = await Promise.all(
      text
        .trim()
        .split('\n')
        .map(async (proxy) => seenIn(await curl('-x', proxy, http.url)).remoteAddress),
    )
    expect(exits.sort()).toEqual(EXITS)
    const random = await stage.hub.ask('/api/v1/proxy/random?format=txt', { key: stage.key })
    expect(EXITS).toContain(seenIn(await curl('-x', random.text.trim(), http.url)).remoteAddress)
  })
})

describe('a device that announces an address which the hub cannot reach', () => {
  test('is used by its tunnel from the first request on', async () => {
    const kazan = await startTunnelledDevice(() => stage.hub, 'kazan-02', '127.10.43.1', {}, `127.0.0.1:${await closedPort()}`)
    try {
      expect(await device('kazan-02')).toMatchObject({ reach: 'direct', proxy_url: expect.any(String) })
      for (const options of [[], ['--proxytunnel'], ['--data', 'n=1']]) {
        const answer = await ask('anna-device-kazan-02', http.url, ...options)
        expect(answer).toMatchObject({ exit: 0, status: 200 })
        expect(seenIn(answer).remoteAddress).toBe('127.10.43.1')
      }
    } finally {
      await kazan.remove()
    }
  })
})

describe('what the target does', () => {
  test('is told by another status each: nobody listens, no such name, not for devices', async () => {
    const port = await closedPort()
    for (const [url, status, code] of [
      ['http://nowhere.example/', 593, 'dns_failed'],
      [`http://127.0.0.1:${port}/`, 594, 'connection_refused'],
      ['http://169.254.169.254/', 599, 'target_refused'],
    ] as const) {
      const plain = await ask('anna-device-seoul-01', url)
      expect(plain).toMatchObject({ status })
      expect(plain.head).toMatch(new RegExp(`^x-mobilepool-error: ${code}\\r$`, 'im'))
      expect(await ask('anna-device-seoul-01', url, '--proxytunnel')).toMatchObject({ connectStatus: status })
    }
    expect(carrier.questions.filter(({ name }) => name === 'nowhere.example').every(({ from }) => from === '127.10.41.1')).toBe(true)
  })

  test('no answer to its connections is told as that, after three tries', async () => {
    deaf = await startDeafTarget()
    const answer = await ask('anna-device-seoul-01', deaf.url, '--max-time', '60')
    expect(answer).toMatchObject({ status: 504 })
    expect(answer.head).toMatch(/^x-mobilepool-error: connect_timeout\r$/im)
    expect(seenIn(await ask('anna-device-seoul-01')).remoteAddress).toBe('127.10.41.1')
  })

  test('a name server that does not answer is told as that', async () => {
    carrier.isSilent = true
    const answer = await ask('anna-device-seoul-01', 'http://shop.example/')
    carrier.isSilent = false
    expect(answer).toMatchObject({ status: 593 })
    expect(answer.body).toContain('The name server did not help (ETIMEOUT)')
  })

  test('never counts against the device: thirty dead targets of one session, and it stays where it is', async () => {
    const port = await closedPort()
    const first = seenIn(await ask('anna-session-dead')).remoteAddress
    for (let count = 0; count < 30; count++) expect((await ask('anna-session-dead', `http://127.0.0.1:${port}/`)).status).toBe(594)
    expect(seenIn(await ask('anna-session-dead')).remoteAddress).toBe(first)
  })

  test('reaches the client as it is when a connection is reset in the middle: no answer looks whole', async () => {
    const target = createServer((socket: Socket) => {
      socket.on('error', () => {})
      socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nhalf', () => socket.resetAndDestroy()))
    }).listen(0, '127.0.0.1')
    await once(target, 'listening')
    const url = `http://127.0.0.1:${(target.address() as { port: number }).port}/`
    expect((await ask('anna', url, '--proxytunnel')).exit).not.toBe(0)
    expect((await ask('anna', url)).exit).not.toBe(0)
    target.close()
  })
})

describe('a tunnel that breaks', () => {
  test('takes its device out at once, ends what goes through it, and brings it back', async () => {
    const slow = ask('anna-device-seoul-01', `${http.url}/slow/60000`, '--proxytunnel')
    await vi.waitFor(() => expect(http.seen.at(-1)?.url).toBe('/slow/60000'), { timeout: 10_000 })
    await seoul.stop()
    expect((await slow).exit).not.toBe(0)
    expect(await device('seoul-01')).toMatchObject({ reach: 'none', gateway_url: null, tunnel: { connected: false } })
    for (let count = 0; count < 6; count++) expect(seenIn(await ask('anna')).remoteAddress).toBe('127.10.42.1')
    await seoul.start()
    expect(seenIn(await ask('anna-device-seoul-01')).remoteAddress).toBe('127.10.41.1')
  })

  test('loses no request that may be repeated: it is sent again by another device', async () => {
    await maintain('busan-03', true)
    const answer = ask('anna', `${http.url}/slow/1500`)
    await vi.waitFor(() => expect(http.seen.at(-1)).toMatchObject({ url: '/slow/1500', remoteAddress: '127.10.41.1' }), { timeout: 10_000 })
    await maintain('busan-03', false)
    await seoul.stop()
    expect(await answer).toMatchObject({ exit: 0, status: 200 })
    expect((await answer).head).toMatch(/^x-mobilepool-device: busan-03\r$/im)
    await seoul.start()
  })

  test('for a moment keeps its device’s requests waiting instead of failing them', async () => {
    await seoul.stop()
    const waiting = ask('anna-device-seoul-01')
    const again = seoul.start()
    expect(seenIn(await waiting).remoteAddress).toBe('127.10.41.1')
    await again
  })
})

test('the hub measures the exit of a device that it rotates by a link, by the tunnel', async () => {
  const body = { rotation_url: `http://127.0.0.1:${(echo.address() as AddressInfo).port}/link`, rotation_max_time: 2 }
  await stage.hub.ask('/api/v1/admin/devices/busan-03', { method: 'PATCH', key: 'admin', body })
  const order = { method: 'POST', key: 'admin', body: { method: 'api_call' } }
  const { status, json } = await stage.hub.ask('/api/v1/admin/devices/busan-03/rotate', order)
  expect(status).toBe(202)
  await vi.waitFor(
    async () =>
      expect((await stage.hub.ask(`/api/v1/rotations/${json.rotation.id}`, { key: 'admin' })).json).toMatchObject({
        state: 'unchanged',
        old_ip: '127.10.42.1',
        new_ip: '127.10.42.1',
      }),
    { timeout: 20_000, interval: 50 },
  )
  expect(echoSaw).toContain('127.10.42.1')
})

test('what went by tunnels while the database was away is in the log when it is back', async () => {
  const postgres = sharedPostgres()
  await postgres.stop('immediate')
  try {
    for (let count = 0; count < 5; count++) expect((await ask('anna-session-outage')).status).toBe(200)
  } finally {
    await postgres.start()
  }
  await vi.waitFor(
    async () => {
      const { json } = await stage.hub.ask('/api/v1/stats/requests?period=24h&session=outage', { key: 'admin' })
      expect(json.requests).toHaveLength(5)
      expect(new Set(json.requests.map(({ device }: { device: string }) => device)).size).toBe(1)
    },
    { timeout: 30_000, interval: 100 },
  )
})
