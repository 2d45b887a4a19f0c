import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { dialTunnel } from './dial.ts'

let hub: Server
const sockets = new Set<Socket>()

beforeEach(async () => {
  hub = createServer((socket) => {
    sockets.add(socket)
    socket.once('data', () =>
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: mobilepool-tunnel/1\r\n\r\nwhat follows'),
    )
  }).listen(0, '127.0.0.1')
  await once(hub, 'listening')
})
afterEach(() => {
  for (const socket of sockets) socket.destroy()
  hub.close()
})

/** A connection that tells that it has written something only after the answer to it has come, as TLS may. */
function slowToTell(inner: Socket): Duplex {
  let tell = (): void => {}
  const outer = new Duplex({
    read: () => {},
    write: (chunk, _encoding, done) => {
      inner.write(chunk)
      tell = done
    },
    destroy: (error, done) => {
      inner.destroy()
      done(error)
    },
  })
  const answered = (chunk: Buffer): void => {
    outer.push(chunk)
    // Whoever takes the answer has had two turns of the event loop for it by then.
    setImmediate(() => setImmediate(() => tell()))
  }
  inner.on('data', answered).on('close', () => outer.destroy())
  return outer
}

it('hands the connection on only when nothing is being written to it, though the hub may have answered long before', async () => {
  const { port } = hub.address() as { port: number }
  const { socket } = await dialTunnel({
    url: `http://127.0.0.1:${port}`,
    deviceKey: 'mpd_key',
    offer: { generation: 1, slot: 0, dial: 1 },
    connect: async () => {
      const inner = connect(port, '127.0.0.1')
      await once(inner, 'connect')
      return slowToTell(inner)
    },
    signal: new AbortController().signal,
  })
  expect(socket.writableLength).toBe(0)
  const [chunk] = (await once(socket, 'data')) as [Buffer]
  expect(chunk.toString()).toBe('what follows')
  socket.destroy()
})
