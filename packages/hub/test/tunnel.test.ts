import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import pino from 'pino'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { type Agent, createAgent } from '../../agent/src/index.ts'
import { startHub, type TestHub } from './hub.ts'

const MB = 1 << 20
const never = new AbortController().signal

let hub: TestHub
let agent: Agent
let deviceId: string
let folder: string
/** Sends back what it gets, ends when its client does. */
let echo: Server
const openEchoes = new Set<Socket>()
let agentLog = ''

const portOf = (server: Server): number => (server.address() as AddressInfo).port
const listening = async (onConnection: (socket: Socket) => void): Promise<Server> => {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {})
    onConnection(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}
const through = (port: number, signal = never): Promise<Duplex> => hub.tunnels.connect(deviceId, { host: '127.0.0.1', port }, signal)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mobilepool-tunnel-'))
  echo = await listening((socket) => {
    openEchoes.add(socket)
    socket.on('close', () => openEchoes.delete(socket))
    socket.pipe(socket)
  })
  hub = await startHub({ tunnelPingMs: 1_000 })
  const { token } = (await hub.ask('/api/v1/agents/tokens', { method: 'POST', key: 'admin', body: {} })).json
  const log = pino(
    { level: 'debug' },
    {
      write: (line: string) => {
        agentLog += line
      },
    },
  )
  agent = createAgent(
    {
      hub: hub.url,
      token,
      name: 'seoul-01',
      stateDir: join(folder, 'agent'),
      driver: 'simulated',
      driverOptions: { firstAddress: '127.10.30.1' },
      tunnelSessions: 2,
    },
    { log },
  )
  deviceId = (await agent.start()).deviceId
  await standing(2)
})
afterAll(async () => {
  await agent.stop()
  await hub.remove()
  echo.close()
  await rm(folder, { recursive: true, force: true })
})
afterEach(() => vi.waitFor(() => expect(hub.tunnels.counts().streams).toBe(0), 5_000))

const standing = (sessions: number): Promise<void> =>
  vi.waitFor(() => expect(hub.tunnels.status(deviceId)?.sessions, agentLog.slice(-2_000)).toBe(sessions), 20_000)

async function readAll(stream: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

test('a device that cannot be dialled is reached by the tunnel that its agent dialled', async () => {
  const stream = await through(portOf(echo))
  stream.end('hello')
  expect((await readAll(stream)).toString()).toBe('hello')
})

test('who is connected is told in the device’s JSON and in the metrics', async () => {
  const { json } = await hub.ask('/api/v1/admin/devices/seoul-01', { key: 'admin' })
  expect(json.tunnel).toMatchObject({ connected: true, sessions: 2, streams: 0 })
  expect(Number.isNaN(Date.parse(json.tunnel.since))).toBe(false)
  await vi.waitFor(() => expect(hub.tunnels.status(deviceId)?.rttMs).toBeGreaterThanOrEqual(0))
  const { text } = await hub.ask('/metrics', { key: 'admin' })
  expect(text).toContain('mobilepool_tunnel_sessions 2')
  expect(text).toContain('mobilepool_tunnel_devices 1')
})

test('100 MB up and down arrive whole', async () => {
  const data = randomBytes(MB)
  const sent = createHash('sha256')
  const received = createHash('sha256')
  const stream = await through(portOf(echo))
  const reading = (async () => {
    let bytes = 0
    for await (const chunk of stream) {
      received.update(chunk)
      bytes += chunk.length
    }
    return bytes
  })()
  for (let i = 0; i < 100; i += 1) {
    data.writeUInt32BE(i)
    sent.update(data)
    if (!stream.write(Buffer.from(data))) await once(stream, 'drain')
  }
  stream.end()
  expect(await reading).toBe(100 * MB)
  expect(received.digest('hex')).toBe(sent.digest('hex'))
})

test('what the target does is told by code: refused, no such name, not asked for', async () => {
  const gone = await listening(() => {})
  const port = portOf(gone)
  gone.close()
  await expect(through(port)).rejects.toMatchObject({ name: 'ProxyError', code: 'connection_refused' })
  const unknown = hub.tunnels.connect('00000000-0000-4000-8000-000000000000', { host: 'example.com', port: 80 }, never)
  await expect(unknown).rejects.toMatchObject({ code: 'offline' })
})

test('a reset by the target is a reset here, never an end', async () => {
  const target = await listening((socket) => {
    socket.write('half an answer')
    setImmediate(() => socket.resetAndDestroy())
  })
  await expect(readAll(await through(portOf(target)))).rejects.toMatchObject({ code: 'ECONNRESET' })
  target.close()
})

test('a reset here is a reset at the target', async () => {
  const seen = new Promise<unknown>((resolve) => {
    void listening((socket) => {
      socket.on('error', resolve)
      socket.on('end', () => resolve('end'))
      socket.resume()
    }).then(async (target) => {
      const stream = await through(portOf(target))
      stream.write('x')
      setTimeout(() => stream.on('error', () => {}).destroy(), 50)
      target.close()
    })
  })
  expect(await seen).toMatchObject({ code: 'ECONNRESET' })
})

test('half-closed connections go on the other way', async () => {
  const target = await listening((socket) => {
    socket.on('end', () => setTimeout(() => socket.end('said after your end'), 20))
    socket.resume()
  })
  const stream = await through(portOf(target))
  stream.end()
  expect((await readAll(stream)).toString()).toBe('said after your end')
  target.close()
})

test('a connection that nobody waits for any more is given up on the device too', async () => {
  const giveUp = new AbortController()
  const opened = through(portOf(echo), giveUp.signal)
  giveUp.abort(new Error('the client is gone'))
  await expect(opened).rejects.toThrow('the client is gone')
  await vi.waitFor(() => expect(openEchoes.size).toBe(0))
})

test('readers that stall cost a bounded memory, and hold nobody else up', async () => {
  const chunk = Buffer.alloc(64 << 10, 1)
  const source = await listening((socket) => {
    const pump = (): void => {
      while (socket.write(chunk));
      socket.once('drain', pump)
    }
    pump()
  })
  const before = process.memoryUsage()
  const stalled = await Promise.all(Array.from({ length: 50 }, () => through(portOf(source))))
  // Until nothing more comes: what is sent fills the windows, then stops.
  let seen = -1
  await vi
    .waitFor(
      () => {
        const { external, arrayBuffers } = process.memoryUsage()
        const isQuiet = external + arrayBuffers === seen
        seen = external + arrayBuffers
        expect(isQuiet).toBe(true)
      },
      { timeout: 20_000, interval: 500 },
    )
    .catch(() => {})
  const grownMb = (process.memoryUsage().rss - before.rss) / MB
  const other = await through(portOf(echo))
  other.end('still quick')
  expect((await readAll(other)).toString()).toBe('still quick')
  // Hub, agent and source are this one process: each holds its part.
  expect(grownMb).toBeLessThan(400)
  for (const stream of stalled) stream.on('error', () => {}).destroy()
  source.close()
})

test('1,000 idle connections stand, and each answers', async () => {
  const streams = await Promise.all(Array.from({ length: 1_000 }, () => through(portOf(echo))))
  expect(hub.tunnels.counts().streams).toBe(1_000)
  const answers = await Promise.all(
    streams.map(async (stream, n) => {
      stream.end(`number ${n}`)
      return (await readAll(stream)).toString()
    }),
  )
  expect(answers.every((answer, n) => answer === `number ${n}`)).toBe(true)
})

test('an order comes by the tunnel at once, is executed once, and the tunnel is there again after the rotation', async () => {
  const { json } = await hub.ask('/api/v1/admin/devices/seoul-01/rotate', { method: 'POST', key: 'admin' })
  const rotation = await vi.waitFor(
    async () => {
      const now = (await hub.ask(`/api/v1/rotations/${json.rotation.id}`, { key: 'admin' })).json
      const shown = now.rotation ?? now
      expect(shown.state, agentLog.slice(-3_000)).toBe('changed')
      return shown
    },
    { timeout: 30_000, interval: 50 },
  )
  expect(rotation).toMatchObject({ state: 'changed', old_ip: '127.10.30.1', new_ip: '127.10.30.2' })
  await standing(2)
  const stream = await through(portOf(echo))
  stream.end('after')
  expect((await readAll(stream)).toString()).toBe('after')
  expect(agentLog.match(/"msg":"rotating"/g)).toHaveLength(1)
})

test('the device comes back when the hub has been restarted', async () => {
  const { port } = hub
  const started = Date.now()
  hub = await hub.restart({ port, tunnelPingMs: 1_000 })
  await standing(2)
  expect(Date.now() - started).toBeLessThan(20_000)
  const stream = await through(portOf(echo))
  stream.end('back')
  expect((await readAll(stream)).toString()).toBe('back')
})
