import { once } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import type net from 'node:net'
import { text } from 'node:stream/consumers'
import type { MobilePool } from '@mobilepool/sdk'
import { describe, expect, test } from 'vitest'
import { type Answer, ask } from './ask-by-agent.ts'
import { eventually } from './eventually.ts'
import { localhostCertificate } from './servers/certificate.ts'
import { collect, Stage } from './stage.ts'

const stage = new Stage()

const inFlight = (pool: MobilePool): number => pool.stats().devices.reduce((sum, device) => sum + device.inFlight, 0)

describe.each(['http', 'https'])('an agent for %s', (scheme) => {
  const tls = scheme === 'https'

  test('chooses a device for each request, and reuses the connections of each', async () => {
    const origin = await stage.origin({ tls })
    const [seoul, busan] = [await stage.device('seoul-01', { auth: 'u:p' }), await stage.device('busan-03')]
    const pool = stage.pool([seoul, busan])
    const answers: Answer[] = []
    for (let count = 0; count < 6; count++) answers.push(await ask(pool, `${origin.url}/${count}?q=1`))
    expect(answers.map(({ seen }) => [seen.remoteAddress, seen.url])).toEqual(
      [0, 1, 2, 3, 4, 5].map((count) => [count % 2 === 0 ? '127.10.1.1' : '127.10.3.1', `/${count}?q=1`]),
    )
    expect(answers.map(({ isReused }) => isReused)).toEqual([false, false, true, true, true, true])
    expect([seoul.counts.connections, busan.counts.connections]).toEqual([1, 1])
    expect(answers[0]?.seen.host).toBe(new URL(origin.url).host)
    expect(JSON.stringify(origin.seen)).not.toMatch(/proxy-/i)
    await eventually('places are given back', () => inFlight(pool) === 0)
  })

  test('sends bodies whole: strings, chunks, with and without a length, headers as a list', async () => {
    const origin = await stage.origin({ tls })
    const pool = stage.pool([await stage.device('seoul-01', { auth: 'u:p' })])
    const long = 'ä'.repeat(300_000)
    expect((await ask(pool, `${origin.url}/post`, { method: 'POST' }, long)).seen).toMatchObject({ method: 'POST', body: long })
    const headers = ['Host', new URL(origin.url).host, 'X-List', 'yes', 'Content-Length', '3']
    expect((await ask(pool, origin.url, { method: 'PUT', headers: headers as never }, 'abc')).seen).toMatchObject({
      body: 'abc',
      headers: { 'x-list': 'yes' },
    })
    const { request } = tls ? https : http
    const streaming = request(origin.url, { method: 'POST', agent: tls ? pool.httpsAgent : pool.httpAgent })
    streaming.write('one ')
    streaming.flushHeaders()
    setImmediate(() => streaming.end('two'))
    const [response] = (await once(streaming, 'response')) as [http.IncomingMessage]
    expect(JSON.parse(await text(response))).toMatchObject({ method: 'POST', body: 'one two', headers: { 'transfer-encoding': 'chunked' } })
  })

  test('goes on to another device before the client notices', async () => {
    const origin = await stage.origin({ tls })
    const omsk = await stage.device('omsk-05')
    const kazan = await stage.device('kazan-02')
    await omsk.refuse()
    kazan.fault = { kind: tls ? 'hang_connect' : 'hang_accept' }
    const pool = stage.open({
      devices: [omsk, ...(tls ? [kazan] : []), await stage.device('seoul-01')].map(({ id, url }) => ({ id, url })),
      balancer: 'round-robin',
      timeouts: { connectMs: 300 },
    })
    const retries = collect(pool, 'retry')
    expect((await ask(pool, origin.url, { method: 'POST' }, 'once')).seen).toMatchObject({ remoteAddress: '127.10.1.1', body: 'once' })
    expect(retries.map(({ attempt }) => attempt.deviceId)).toEqual(tls ? ['omsk-05', 'kazan-02'] : ['omsk-05'])
    expect(origin.seen).toHaveLength(1)
  })

  test('an abort reaches a request that still connects, and one that waits for a device', async () => {
    const origin = await stage.origin({ tls })
    const kazan = await stage.device('kazan-02')
    kazan.fault = { kind: tls ? 'hang_connect' : 'hang_header' }
    const pool = stage.pool([kazan], { perDevice: { concurrency: 1 } })
    const { request } = tls ? https : http
    const agent = tls ? pool.httpsAgent : pool.httpAgent
    const connecting = request(origin.url, { agent }).end()
    await eventually('it is at the device', () => kazan.sockets.size === 1)
    const waiting = request(origin.url, { agent, signal: AbortSignal.timeout(50) }).end()
    await expect(once(waiting, 'response')).rejects.toThrow(/abort|timeout/i)
    connecting.destroy()
    await expect(once(connecting, 'response')).rejects.toThrow('socket hang up')
    await eventually('the connection to the device is closed, its place given back', () => kazan.sockets.size === 0 && inFlight(pool) === 0)
    expect(origin.seen.length).toBe(tls ? 0 : 1)
  })

  test('tells of its timeout while it connects', async () => {
    const origin = await stage.origin({ tls })
    const kazan = await stage.device('kazan-02')
    kazan.fault = { kind: 'hang_accept' }
    const pool = stage.pool([kazan], tls ? {} : { devices: [{ id: 'kazan-02', url: kazan.url, tunnel: 'always' }] })
    const request = (tls ? https : http).request(origin.url, { agent: tls ? pool.httpsAgent : pool.httpAgent, timeout: 60 }).end()
    await once(request, 'timeout')
    request.destroy()
    await expect(once(request, 'response')).rejects.toThrow('socket hang up')
  })

  test('without a device fails with MP_NO_DEVICE and opens no connection', async () => {
    const origin = await stage.origin({ tls })
    const pool = stage.open({ devices: [] })
    await expect(ask(pool, origin.url)).rejects.toMatchObject({ code: 'MP_NO_DEVICE' })
    expect(origin.sockets.size).toBe(0)
  })

  test('a rotation closes its idle connections, and the next request has the new address', async () => {
    const origin = await stage.origin({ tls })
    const busan = await stage.device('busan-03')
    const rotate = async () => {
      await eventually('the device is drained', () => busan.sockets.size === 0)
      busan.egress = '127.10.3.2'
      return '127.10.3.2'
    }
    const pool = stage.open({ devices: [{ id: 'busan-03', url: busan.url, rotate }] })
    expect((await ask(pool, origin.url)).seen.remoteAddress).toBe('127.10.3.1')
    await pool.rotate('busan-03')
    expect(await ask(pool, origin.url)).toMatchObject({ isReused: false, seen: { remoteAddress: '127.10.3.2' } })
  })

  test('a request that is answered by nobody counts against its device, a whole answer for it', async () => {
    const origin = await stage.origin({ tls })
    const kazan = await stage.device('kazan-02')
    const pool = stage.pool([kazan])
    const faults = () => pool.stats().devices[0]?.faults ?? 0
    kazan.fault = { kind: 'reset', afterBytes: 0 }
    await expect(ask(pool, `${origin.url}/slow/20`)).rejects.toThrow()
    await eventually('it is judged', () => pool.stats().devices[0]?.inFlight === 0)
    const before = faults()
    expect(before).toBeGreaterThan(0)
    kazan.fault = null
    expect((await ask(pool, origin.url)).status).toBe(200)
    await eventually('it is judged', () => pool.stats().devices[0]?.inFlight === 0)
    expect(faults()).toBe(before)
  })

  test('100 requests at once share what the devices allow', async () => {
    const origin = await stage.origin({ tls })
    const devices = [await stage.device('seoul-01'), await stage.device('busan-03'), await stage.device('moscow-07')]
    const pool = stage.pool(devices, { perDevice: { concurrency: 4 } })
    const answers = await Promise.all(Array.from({ length: 100 }, (_, index) => ask(pool, `${origin.url}/?id=${index}`)))
    expect(new Set(answers.map(({ seen }) => seen.remoteAddress)).size).toBe(3)
    expect([...origin.ids.values()]).toEqual(Array.from({ length: 100 }, () => 1))
    for (const device of devices) expect(device.counts.connections).toBeLessThanOrEqual(4)
  })

  test('destroying it ends its connections, and keeps the pool', async () => {
    const origin = await stage.origin({ tls })
    const seoul = await stage.device('seoul-01')
    const pool = stage.pool([seoul])
    await ask(pool, origin.url)
    expect(seoul.sockets.size).toBe(1)
    ;(tls ? pool.httpsAgent : pool.httpAgent).destroy()
    await eventually('its idle connection is closed', () => seoul.sockets.size === 0)
    expect((await ask(pool, origin.url)).status).toBe(200)
  })
})

describe('the https agent', () => {
  test('believes no certificate that it should not, and honours the request’s own TLS options', async () => {
    const origin = await stage.origin({ tls: true })
    const pool = stage.open({ devices: [(await stage.device('seoul-01')).url], requestTls: {}, retry: { attempts: 1 } })
    await expect(ask(pool, origin.url)).rejects.toMatchObject({ code: 'MP_TARGET_TLS' })
    expect((await ask(pool, origin.url, { rejectUnauthorized: false })).status).toBe(200)
    await expect(ask(pool, origin.url)).rejects.toMatchObject({ code: 'MP_TARGET_TLS' })
    expect(await ask(pool, origin.url, { ca: localhostCertificate.cert })).toMatchObject({ status: 200, isReused: false })
  })

  test('sends the server name of the URL or of the request', async () => {
    const names: string[] = []
    const sni = (name: string, done: (error: null) => void): void => {
      names.push(name)
      done(null)
    }
    const server = https.createServer({ ...localhostCertificate, SNICallback: sni }, (_request, response) => response.end('{}'))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    try {
      const pool = stage.pool([await stage.device('seoul-01')])
      const { port } = server.address() as net.AddressInfo
      await ask(pool, `https://localhost:${port}/`)
      await ask(pool, `https://127.0.0.1:${port}/`, { servername: 'shop.example.test' })
      expect(names).toEqual(['localhost', 'shop.example.test'])
      // The same name by the Host header: what leads to the same end is reused.
      expect(await ask(pool, `https://127.0.0.1:${port}/`, { headers: { host: 'shop.example.test' } })).toMatchObject({ isReused: true })
      pool.httpsAgent.destroy()
      await ask(pool, `https://127.0.0.1:${port}/`, { headers: { host: 'shop.example.test' } })
      expect(names).toEqual(['localhost', 'shop.example.test', 'shop.example.test'])
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })

  test('goes through SOCKS5 devices and https proxies', async () => {
    const origin = await stage.origin({ tls: true })
    const plain = await stage.origin()
    for (const device of [
      await stage.socksDevice('busan-03', { auth: 'u:p' }),
      await stage.device('moscow-07', { tls: true, auth: 'u:p' }),
    ]) {
      const pool = stage.open({ devices: [device.url], proxyTls: { ca: localhostCertificate.cert } })
      expect((await ask(pool, origin.url)).seen.remoteAddress).toBe(device.egress)
      expect((await ask(pool, plain.url)).seen.remoteAddress).toBe(device.egress)
    }
  })
})

describe('the http agent', () => {
  test('uses CONNECT where the device is set to', async () => {
    const origin = await stage.origin()
    const seoul = await stage.device('seoul-01', { auth: 'u:p' })
    const pool = stage.open({ devices: [{ url: seoul.url, tunnel: 'always' }] })
    expect((await ask(pool, `${origin.url}/path`)).seen).toMatchObject({ url: '/path', remoteAddress: '127.10.1.1' })
    expect(seoul.counts).toMatchObject({ connects: 1, requests: 0 })
  })

  test('upgrades to WebSocket through a tunnel, whose place is given back when it closes', async () => {
    const origin = await stage.origin()
    const seoul = await stage.device('seoul-01')
    const pool = stage.pool([seoul])
    const request = http.request(origin.url, {
      agent: pool.httpAgent,
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      },
    })
    request.end()
    const [, socket] = (await once(request, 'upgrade')) as [http.IncomingMessage, net.Socket]
    socket.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]))
    const [frame] = (await once(socket, 'data')) as [Buffer]
    expect(frame.subarray(2).toString()).toBe('hi')
    expect([seoul.counts.connects, inFlight(pool)]).toEqual([1, 1])
    socket.destroy()
    await eventually('its place is given back', () => inFlight(pool) === 0)
  })
})
