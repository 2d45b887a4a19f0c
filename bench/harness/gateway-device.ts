/**
 * A process that is a device and all its targets at once, as cheaply as can be: CONNECT is granted, `GET` (in absolute form or through a
 * tunnel) is answered with the bytes that its path asks for, a `PUT` with what came of it. `startChild(…)`.
 */
import { createServer, type Socket } from 'node:net'
import { serveParent } from '../../packages/sdk/test/servers/child.ts'

const GRANTED = Buffer.from('HTTP/1.1 200 Connection Established\r\n\r\n')
const BLOCK = Buffer.alloc(262_144, 'x')

const server = createServer({ noDelay: true }, (socket) => {
  let pending = ''
  /** Bytes of an upload that are still to come. */
  let owed = 0
  socket.on('error', () => {})
  socket.on('data', (chunk: Buffer) => {
    if (owed > 0) {
      owed -= chunk.length
      if (owed <= 0) answer(socket, 2)
      return
    }
    pending += chunk.toString('latin1')
    for (let end = pending.indexOf('\r\n\r\n'); end >= 0; end = pending.indexOf('\r\n\r\n')) {
      const head = pending.slice(0, end)
      pending = pending.slice(end + 4)
      if (head.startsWith('CONNECT ')) socket.write(GRANTED)
      else if (head.startsWith('PUT ')) {
        owed = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0) - pending.length
        pending = ''
        if (owed <= 0) answer(socket, 2)
      } else answer(socket, Number(/\/bytes\/(\d+)/.exec(head)?.[1] ?? 64))
    }
  })
}).listen(0, '127.0.0.1')

function answer(socket: Socket, bytes: number): void {
  const head = `HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: ${bytes}\r\n\r\n`
  if (bytes <= 4_096) {
    socket.write(head + 'x'.repeat(bytes))
    return
  }
  socket.write(head)
  let left = bytes
  const pump = (): void => {
    while (left > 0) {
      const part = left >= BLOCK.length ? BLOCK : BLOCK.subarray(0, left)
      left -= part.length
      if (!socket.write(part)) {
        socket.once('drain', pump)
        return
      }
    }
  }
  pump()
}

await new Promise((resolve) => server.once('listening', resolve))
const calls = { port: () => (server.address() as { port: number }).port }
export type GatewayDeviceCalls = typeof calls
serveParent(calls)
