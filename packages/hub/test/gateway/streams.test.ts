import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type Server } from 'node:http'
import { type AddressInfo, connect, createServer as createTcpServer, type Socket, type Server as TcpServer } from 'node:net'
import { Readable } from 'node:stream'
import { chromium } from 'playwright-core'
import { ProxyAgent, WebSocket } from 'undici'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type Origin, startOrigin } from '../../../sdk/test/servers/origin.ts'
import { type GatewayStage, startGatewayStage } from './gateway-stage.ts'

/** What lasts: large bodies both ways, WebSockets, a browser, and a thousand tunnels in nobody's use. */
const CHUNK = 1_048_576
const CHUNKS = 100
let stage: GatewayStage
let files: Server
let filesUrl: string
let echo: TcpServer
let origin: Origin

/** The n-th megabyte: no two are alike. */
const megabyte = (n: number): Buffer => Buffer.alloc(CHUNK, createHash('sha512').update(String(n)).digest())
function* megabytes(): Generator<Buffer> {
  for (let n = 0; n < CHUNKS; n++) yield megabyte(n)
}
const digestOf = async (stream: AsyncIterable<Buffer> | Iterable<Buffer>): Promise<string> => {
  const hash = createHash('sha256')
  for await (const chunk of stream) hash.update(chunk)
  return hash.digest('hex')
}

beforeAll(async () => {
  stage = await startGatewayStage({ gatewayDeviceConcurrency: 1_000 })
  origin = await startOrigin()
  await stage.device('seoul-01')
  await stage.device('busan-03')
  files = createServer(async (request, response) => {
    if (request.method === 'PUT') response.end(await digestOf(request))
    else Readable.from(megabytes()).pipe(response)
  }).listen(0, '127.0.0.1')
  echo = createTcpServer((socket) => socket.on('error', () => {}).pipe(socket)).listen(0, '127.0.0.1')
  await Promise.all([once(files, 'listening'), once(echo, 'listening')])
  filesUrl = `http://127.0.0.1:${(files.address() as AddressInfo).port}/`
})
afterAll(async () => {
  files.closeAllConnections()
  await stage.close()
  await origin.close()
  await Promise.all([files, echo].map((server) => new Promise((resolve) => server.close(resolve))))
})

describe.each([
  ['in absolute form', []],
  ['through a tunnel', ['--proxytunnel']],
])('100 MB %s', (_form, options) => {
  test('come down whole', async () => {
    const child = spawn('curl', ['-sS', '--max-time', '100', ...options, '-x', stage.proxy('anna'), filesUrl])
    const [digest] = await Promise.all([digestOf(child.stdout), once(child, 'close')])
    expect(child.exitCode).toBe(0)
    expect(digest).toBe(await digestOf(megabytes()))
  })

  test('go up whole', async () => {
    const child = spawn('curl', ['-sS', '--max-time', '100', ...options, '-x', stage.proxy('anna'), '-T', '-', filesUrl])
    Readable.from(megabytes()).pipe(child.stdin)
    let answer = ''
    child.stdout.on('data', (chunk: Buffer) => {
      answer += chunk.toString()
    })
    await once(child, 'close')
    expect(child.exitCode).toBe(0)
    expect(answer).toBe(await digestOf(megabytes()))
  })
})

test('a thousand tunnels stay open while nobody uses them, and all of them still lead somewhere', async () => {
  const { hostname, port, username, password } = new URL(stage.proxy('anna'))
  const secret = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')
  const target = `127.0.0.1:${(echo.address() as AddressInfo).port}`
  const sockets: Socket[] = []
  const ask = async (socket: Socket, text: string): Promise<string> => {
    socket.write(text)
    const [chunk] = (await once(socket, 'data')) as [Buffer]
    return chunk.toString()
  }
  for (let batch = 0; batch < 20; batch++) {
    const opened = Array.from({ length: 50 }, async () => {
      const socket = connect(Number(port), hostname)
      sockets.push(socket)
      expect(await ask(socket, `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\nProxy-Authorization: Basic ${secret}\r\n\r\n`)).toMatch(
        /^HTTP\/1\.1 200 /,
      )
    })
    await Promise.all(opened)
  }
  const metrics = async () => (await stage.hub.ask('/metrics', { key: 'admin' })).text
  expect(await metrics()).toMatch(/^mobilepool_gateway_tunnels_open 1000$/m)
  const answers = await Promise.all(sockets.map((socket, n) => ask(socket, `still ${n}`)))
  expect(answers).toEqual(sockets.map((_, n) => `still ${n}`))
  for (const socket of sockets) socket.destroy()
  await vi.waitFor(async () => expect(await metrics()).toMatch(/^mobilepool_gateway_tunnels_open 0$/m), { timeout: 20_000 })
})

test('a WebSocket through a tunnel', async () => {
  const { origin: uri, username, password } = new URL(stage.proxy('anna-session-ws'))
  const token = `Basic ${Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')}`
  const dispatcher = new ProxyAgent({ uri, token })
  const socket = new WebSocket(`${origin.url.replace('http', 'ws')}/chat`, { dispatcher })
  await once(socket, 'open')
  const message = once(socket, 'message')
  socket.send('hello through the gateway')
  expect(((await message) as [MessageEvent])[0].data).toBe('hello through the gateway')
  const closed = once(socket, 'close')
  socket.close()
  await closed
  await dispatcher.close()
})

test('a WebSocket of a program that sends its upgrade in absolute form', async () => {
  const { hostname, port, username, password } = new URL(stage.proxy('anna-session-ws'))
  const auth = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')
  const asked = request({
    host: hostname,
    port,
    path: `${origin.url}/chat`,
    headers: {
      'proxy-authorization': `Basic ${auth}`,
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    },
  })
  asked.end()
  const [answer, socket] = (await once(asked, 'upgrade')) as [IncomingMessage, Socket]
  expect(answer.headers['sec-websocket-accept']).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
  // One text frame, masked with zeros.
  socket.write(Buffer.concat([Buffer.from([0x81, 0x82, 0, 0, 0, 0]), Buffer.from('hi')]))
  const [frame] = (await once(socket, 'data')) as [Buffer]
  expect(frame).toEqual(Buffer.concat([Buffer.from([0x81, 0x02]), Buffer.from('hi')]))
  socket.destroy()
})

const executablePath = await new Promise<string | null>((resolve) => {
  execFile('which', ['chromium'], (error, stdout) => resolve(error ? null : stdout.trim()))
})

test.skipIf(executablePath === null)('Chromium, whose user name is its session', async () => {
  const { origin: server, username, password } = new URL(stage.proxy('anna-session-browser'))
  const browser = await chromium.launch({
    executablePath: executablePath ?? '',
    args: ['--no-sandbox'],
    proxy: { server, username: decodeURIComponent(username), password: decodeURIComponent(password), bypass: '<-loopback>' },
  })
  try {
    const page = await browser.newPage()
    const exits = new Set<string>()
    for (let count = 0; count < 4; count++) {
      await page.goto(`${origin.url}/?page=${count}`)
      exits.add(JSON.parse(await page.innerText('body')).remoteAddress)
    }
    expect([...exits]).toEqual([expect.stringMatching(/^127\.10\.[12]\.1$/)])
  } finally {
    await browser.close()
  }
})
