import { once } from 'node:events'
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { AgentSession } from './session.ts'

const PING_MS = 200
let server: Server
let session: AgentSession
let hub: ClientHttp2Session
/** Pings of the agent that reached the hub. */
let pings = 0

beforeEach(async () => {
  pings = 0
  server = createServer({ allowHalfOpen: false }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const agentSide = connect((server.address() as { port: number }).port, '127.0.0.1')
  const [[hubSide]] = await Promise.all([accepted, once(agentSide, 'connect')])
  session = new AgentSession(
    { socket: agentSide, pingMs: PING_MS },
    { onConnect: (stream) => stream.respond({ ':status': 200 }), onControl: () => {} },
  )
  hub = connectHttp2('http://agent', { createConnection: () => hubSide })
  hub
    .on('error', () => {})
    .on('ping', () => {
      pings += 1
    })
})
afterEach(() => {
  session.end('the test is over')
  hub.destroy()
  server.close()
})

/** A connection through the device: its session is in use. */
async function inUse(): Promise<void> {
  const stream = hub.request({ ':method': 'CONNECT', ':authority': 'site.example:443' })
  stream.on('error', () => {})
  await once(stream, 'response')
}

it('says something to a hub whose ping stays away, so that a hub that does not know the connection can say so', async () => {
  await inUse()
  await vi.waitFor(() => expect(pings).toBe(1), { timeout: 5_000, interval: 5 })
})

it('asks at once when the device is seen under another address', async () => {
  await inUse()
  session.check()
  session.check()
  await vi.waitFor(() => expect(pings).toBe(1), { timeout: PING_MS - 50, interval: 5 })
})
