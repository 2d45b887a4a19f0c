import type { Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { ClientConnections } from './connections.ts'

/** As much of a socket as connections look at. */
const socketFrom = (remoteAddress: string): Socket => Object.assign(new PassThrough(), { remoteAddress }) as unknown as Socket

function connectionsOf(maxConnections: number, maxConnectionsPerAddress = 100) {
  const clock = { now: 0 }
  const limits = { maxConnections, maxConnectionsPerAddress }
  const connections = new ClientConnections<string>(
    limits,
    () => {},
    () => clock.now,
  )
  return { clock, connections }
}

test('when there is no room, who has owed a good request longest gives way: of the address that has most of such', () => {
  const { clock, connections } = connectionsOf(4)
  const sockets = ['1.1.1.1', '9.9.9.9', '9.9.9.9', '9.9.9.9'].map(socketFrom)
  for (const socket of sockets) connections.add(socket)
  clock.now = 1_500
  const next = connections.add(socketFrom('2.2.2.2'))
  expect(next.surplus).toBeNull()
  expect(sockets.map((socket) => socket.destroyed)).toEqual([false, true, false, false])
})

test('who has brought a good request, or came within the last second, does not give way', () => {
  const { clock, connections } = connectionsOf(2)
  const [proven, fresh] = [socketFrom('1.1.1.1'), socketFrom('2.2.2.2')]
  connections.prove(connections.add(proven))
  clock.now = 5_000
  connections.add(fresh)
  clock.now = 5_900
  expect(connections.add(socketFrom('3.3.3.3')).surplus).toBe('too_many_connections')
  expect([proven.destroyed, fresh.destroyed]).toEqual([false, false])
})

test('connections of one address are counted, by /64 for IPv6, until they close', async () => {
  const { connections } = connectionsOf(100, 1)
  const first = socketFrom('2001:db8::1')
  connections.add(first)
  expect(connections.add(socketFrom('2001:db8::ffff:2')).surplus).toBe('address_limit')
  expect(connections.add(socketFrom('2001:db8:0:1::1')).surplus).toBeNull()
  first.destroy()
  await new Promise((resolve) => first.once('close', resolve))
  expect(connections.size).toBe(2)
})
