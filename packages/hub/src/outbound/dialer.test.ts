import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createDialer } from './dialer.ts'
import { TargetRefused } from './guarded-lookup.ts'

let server: Server
let port: number
beforeAll(async () => {
  server = createServer((socket) => socket.end('220 hello')).listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
})
afterAll(() => void server.close())

const options = (signal = new AbortController().signal) => ({ timeoutMs: 5_000, signal })

test.each(['127.0.0.1', 'localhost'])('a server of the LAN is reached where private addresses are allowed: %s', async (host) => {
  const socket = await createDialer({ allowsPrivate: true })(host, port, options())
  const [greeting] = await once(socket, 'data')
  expect(String(greeting)).toBe('220 hello')
  socket.destroy()
})

test.each([
  ['169.254.169.254', true, 'never calls'],
  ['[fd00:ec2::254]', true, 'never calls'],
  ['127.0.0.1', false, 'OUTBOUND_PRIVATE=false'],
  ['[::1]', false, 'OUTBOUND_PRIVATE=false'],
  // By its name: what counts is where it leads.
  ['localhost', false, 'OUTBOUND_PRIVATE=false'],
])('%s is not dialled with private addresses allowed: %s', async (host, allowsPrivate, why) => {
  const dialled = createDialer({ allowsPrivate })(host, port, options())
  await expect(dialled).rejects.toThrow(TargetRefused)
  await expect(dialled).rejects.toThrow(why)
})

test('a port where nobody listens is an error that says so, and a call-off ends the wait', async () => {
  const dial = createDialer({ allowsPrivate: true })
  await expect(dial('127.0.0.1', 1, options())).rejects.toThrow('127.0.0.1 port 1 cannot be reached (ECONNREFUSED).')
  await expect(dial('127.0.0.1', port, options(AbortSignal.abort(new Error('called off'))))).rejects.toThrow('called off')
})
