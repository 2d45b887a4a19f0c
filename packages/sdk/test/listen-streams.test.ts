import { once } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import net from 'node:net'
import { text } from 'node:stream/consumers'
import type { MobilePool } from '@mobilepool/sdk'
import { HttpProxyAgent } from 'http-proxy-agent'
import { HttpsProxyAgent } from 'https-proxy-agent'
import { ProxyAgent, WebSocket } from 'undici'
import { describe, expect, test } from 'vitest'
import { curl, seenIn } from './curl.ts'
import { eventually } from './eventually.ts'
import { openTunnel } from './open-tunnel.ts'
import { localhostCertificate } from './servers/certificate.ts'
import type { SeenRequest } from './servers/origin.ts'
import { Stage } from './stage.ts'

const stage = new Stage()
const MEGABYTE = 1_048_576

const busy = (pool: MobilePool): number => pool.stats().devices.reduce((sum, { inFlight }) => sum + inFlight, 0)

/** A plain request in absolute form, by hand. */
async function ask(proxyUrl: string, url: string, { method = 'GET', headers = {} }: http.RequestOptions = {}): Promise<http.ClientRequest> {
  const { port, username, password } = new URL(proxyUrl)
  const credentials = Buffer.from(`${username}:${password}`).toString('base64')
  const { host } = new URL(url)
  return http.request({
    port,
    method,
    path: url,
    agent: false,
    headers: { host, 'proxy-authorization': `Basic ${credentials}`, ...headers },
  })
}

describe.each([false, true])('bodies through pool.listen() (https: %s)', (tls) => {
  test('are sent whole: with a length, after "Expect: 100-continue", and in chunks', async () => {
    const origin = await stage.origin({ tls })
    const pool = stage.pool([await stage.device('seoul-01', { auth: 'us:er' })])
    const local = await pool.listen()
    const body = 'ä1'.repeat(600_000)
    const file = ['--data-binary', '@-']
    for (const headers of [
      ['-H', 'Expect:'],
      ['-H', 'Expect: 100-continue'],
      ['-H', 'Transfer-Encoding: chunked'],
    ]) {
      const answer = await curl.withInput(body, '-x', local.url, ...headers, ...file, `${origin.url}/up`)
      expect(answer.status).toBe(200)
      expect(seenIn(answer)).toMatchObject({ method: 'POST', url: '/up' })
      expect(seenIn(answer).body === body).toBe(true)
    }
    await eventually('the device is free', () => busy(pool) === 0)
  })

  test('are read no faster than the client reads', async () => {
    let sent = 0
    const site = await stage.site(
      (_from, response) => {
        const piece = Buffer.alloc(65_536, 'x')
        const more = (): void => {
          while (sent < 200 * MEGABYTE && !response.destroyed) {
            sent += piece.length
            if (!response.write(piece)) return
          }
          response.end()
        }
        response.on('drain', more)
        more()
      },
      { tls },
    )
    const pool = stage.pool([await stage.device('seoul-01')])
    const local = await pool.listen()
    const response = await download(local.url, site.url)
    response.pause()
    await eventually('it has begun', () => sent > 0)
    let last = -1
    await eventually('the site is held up', () => {
      const isStill = sent === last
      last = sent
      return isStill && sent > MEGABYTE / 2
    })
    // What fits into the socket buffers of four connections on one machine is far less.
    expect(sent).toBeLessThan(100 * MEGABYTE)
    response.destroy()
    await eventually('the device is free', () => busy(pool) === 0)
  })

  test('that break off are seen to: a cut answer does not look whole', async () => {
    const origin = await stage.origin({ tls })
    const pool = stage.pool([await stage.device('seoul-01')])
    const local = await pool.listen()
    const answer = await curl('-x', local.url, `${origin.url}/cut/200000`)
    expect(answer.exit).not.toBe(0)
    expect(answer.body.length).toBeLessThan(200_000)
  })

  test('a client that goes away frees the device, whether it has its answer yet or not', async () => {
    const origin = await stage.origin({ tls })
    const pool = stage.pool([await stage.device('seoul-01')])
    const local = await pool.listen()
    for (const path of ['/hang', '/stream/60000']) {
      const answered = download(local.url, `${origin.url}${path}`).catch(() => null)
      await eventually('it is at the site', () => origin.seen.at(-1)?.url === path && busy(pool) === 1)
      if (path !== '/hang') (await answered)?.destroy()
      else clients.at(-1)?.destroy()
      await eventually('the device is free', () => busy(pool) === 0)
    }
  })

  test('a client that goes away while a device leaves it hanging frees the device', async () => {
    const seoul = await stage.device('seoul-01')
    seoul.fault = { kind: 'hang_connect' }
    const pool = stage.pool([seoul])
    const local = await pool.listen()
    const { username, password } = local
    const authorization = Buffer.from(`${username}:${password}`).toString('base64')
    const line = tls ? 'CONNECT 127.0.0.1:443' : 'GET http://127.0.0.1/'
    const socket = net.connect(local.port)
    socket.write(`${line} HTTP/1.1\r\nHost: 127.0.0.1\r\nProxy-Authorization: Basic ${authorization}\r\n\r\n`)
    await eventually('it is at the device', () => seoul.counts.connects + seoul.counts.requests === 1 && busy(pool) === 1)
    socket.destroy()
    await eventually('the device is free', () => busy(pool) === 0 && seoul.sockets.size === 0)
  })
})

const clients: http.ClientRequest[] = []

/** A request by node:http(s) with the agent that its users use for proxies. */
async function download(proxyUrl: string, url: string): Promise<http.IncomingMessage> {
  const request = url.startsWith('https:')
    ? https.request(url, { agent: new HttpsProxyAgent(proxyUrl), ca: localhostCertificate.cert })
    : http.request(url, { agent: new HttpProxyAgent(proxyUrl) })
  clients.push(request)
  request.on('error', () => {})
  request.end()
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  return response.on('error', () => {})
}

describe('clients of pool.listen()', () => {
  test.each(['http', 'https'])('%s-proxy-agent with node:%s goes through the devices', async (scheme) => {
    const origin = await stage.origin({ tls: scheme === 'https' })
    const pool = stage.pool([await stage.device('seoul-01'), await stage.device('busan-03')])
    const local = await pool.listen({ username: 'a@b', password: 'ü:/ %' })
    const addresses: string[] = []
    for (let count = 0; count < 4; count++) {
      const response = await download(local.url, `${origin.url}/${count}`)
      addresses.push((JSON.parse(await text(response)) as SeenRequest).remoteAddress)
    }
    expect(addresses).toEqual(['127.10.1.1', '127.10.3.1', '127.10.1.1', '127.10.3.1'])
  })

  test.each([
    ['ws', false, true],
    ['wss', true, true],
    ['ws in absolute form', false, false],
  ])('a WebSocket (%s) is opened and carries messages both ways', async (_name, tls, proxyTunnel) => {
    const origin = await stage.origin({ tls })
    const pool = stage.pool([await stage.device('seoul-01')])
    const local = await pool.listen()
    if (!proxyTunnel) {
      const request = await ask(local.url, `${origin.url}/echo`, {
        headers: {
          connection: 'Upgrade',
          upgrade: 'websocket',
          'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
          'sec-websocket-version': '13',
        },
      })
      request.end()
      const [, socket] = (await once(request, 'upgrade')) as [http.IncomingMessage, net.Socket]
      // "hi", masked with zeroes.
      socket.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]))
      const [frame] = (await once(socket, 'data')) as [Buffer]
      expect(frame.toString('latin1', 2)).toBe('hi')
      socket.destroy()
    } else {
      const agent = new ProxyAgent({ uri: local.url, requestTls: { ca: localhostCertificate.cert } })
      const socket = new WebSocket(`${origin.url.replace('http', 'ws')}/echo`, { dispatcher: agent })
      await once(socket as unknown as EventTarget as never, 'open')
      socket.send('hello')
      const [message] = (await once(socket as unknown as EventTarget as never, 'message')) as [MessageEvent]
      expect(message.data).toBe('hello')
      expect(busy(pool)).toBe(1)
      socket.close()
      await once(socket as unknown as EventTarget as never, 'close')
      await agent.destroy()
    }
    await eventually('the device is free', () => busy(pool) === 0)
  })

  test('HEAD, OPTIONS *, cookies, redirects and compressed answers arrive as the site sent them', async () => {
    const origin = await stage.origin()
    const pool = stage.pool([await stage.device('seoul-01')])
    const local = await pool.listen()
    expect(await curl('-x', local.url, '--head', `${origin.url}/`)).toMatchObject({ exit: 0, status: 200 })
    expect((await curl('-x', local.url, `${origin.url}/cookies`)).head.match(/^set-cookie: .*$/gim)).toEqual([
      'set-cookie: a=1',
      'set-cookie: b=2',
    ])
    expect(await curl('-x', local.url, '--location', `${origin.url}/redirect`)).toMatchObject({ exit: 0, status: 200 })
    expect((await curl('-x', local.url, '--compressed', `${origin.url}/gzip`)).body).toBe('hello gzip')
    expect(seenIn(await curl('-x', local.url, '--request', 'OPTIONS', '--request-target', origin.url, origin.url))).toMatchObject({
      method: 'OPTIONS',
      url: '*',
    })
    const many = await curl('-x', local.url, `${origin.url}/bytes/100000`, ...Array.from({ length: 5 }, () => `${origin.url}/status/404`))
    expect(many).toMatchObject({ exit: 0, status: 404 })
  })
})

describe('what is under way through pool.listen()', () => {
  test('is waited for by a rotation, and then cut: a tunnel that outlives the drain is reset', async () => {
    const origin = await stage.origin()
    const busan = await stage.device('busan-03')
    const pool = stage.open({ devices: [{ id: 'busan-03', url: busan.url, rotate: async () => '127.10.3.2' }], rotate: { drainMs: 100 } })
    const local = await pool.listen()
    const tunnel = await openTunnel(local.url, origin.port)
    const closed = new Promise((resolve) => tunnel.once('close', resolve))
    await pool.rotate('busan-03')
    await closed
    expect(busy(pool)).toBe(0)
    const after = await curl('-x', local.url, origin.url)
    expect(after.status).toBe(200)
  })

  test('ends with the pool, and its port is free again', async () => {
    const origin = await stage.origin()
    const pool = stage.pool([await stage.device('seoul-01')])
    const [one, other] = [await pool.listen(), await pool.listen()]
    const tunnel = await openTunnel(one.url, origin.port)
    const hanging = curl('-x', other.url, `${origin.url}/hang`)
    await eventually('both are under way', () => busy(pool) === 2 && origin.seen.length === 1)
    const closed = new Promise((resolve) => tunnel.once('close', resolve))
    await pool.close({ timeoutMs: 50 })
    await closed
    expect((await hanging).status).not.toBe(200)
    for (const { port } of [one, other]) {
      const [error] = (await once(net.connect(port, '127.0.0.1'), 'error')) as [NodeJS.ErrnoException]
      expect(error.code).toBe('ECONNREFUSED')
    }
    await expect(pool.listen()).rejects.toMatchObject({ code: 'MP_CLOSED' })
  })

  test('may go on while the pool closes, but nothing new begins', async () => {
    const origin = await stage.origin()
    const pool = stage.pool([await stage.device('seoul-01')])
    const local = await pool.listen()
    const slow = curl('-x', local.url, `${origin.url}/slow/800`)
    await eventually('it is under way', () => origin.seen.length === 1)
    const closing = pool.close()
    expect((await curl('-x', local.url, origin.url)).status).toBe(503)
    expect(await slow).toMatchObject({ status: 200, body: 'slow' })
    await closing
  })

  test('ends with close() of its listener alone', async () => {
    const origin = await stage.origin()
    const pool = stage.pool([await stage.device('seoul-01')])
    let port: number
    {
      await using local = await pool.listen()
      port = local.port
      await openTunnel(local.url, origin.port)
      expect(busy(pool)).toBe(1)
    }
    await eventually('the device is free', () => busy(pool) === 0)
    const [error] = (await once(net.connect(port, '127.0.0.1'), 'error')) as [NodeJS.ErrnoException]
    expect(error.code).toBe('ECONNREFUSED')
  })
})
