import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { abort } from './abort.ts'
import { checkAnswer, type Forwarding, openRequest, relayAnswer } from './forward.ts'
import { responseHeaders } from './headers.ts'
import { endGently, headOf } from './reply.ts'
import { splice } from './splice.ts'

/**
 * Sends an upgrade (WebSocket) on. When the target agrees, the two connections are joined; when it does not, its ordinary answer is
 * delivered and the client's connection closed, since its parser is gone.
 */
export function forwardUpgrade<User>(req: IncomingMessage, socket: Duplex, head: Buffer, way: Forwarding<User>): void {
  const { exchange, upstream } = way
  const outgoing = openRequest(req, way, req.headers.upgrade)
  exchange.signal.addEventListener('abort', () => {
    // First: destroying the request would close its connection as if all were well.
    abort(upstream)
    outgoing.destroy()
  })
  let isAnswered = false
  outgoing.on('error', (error) => {
    if (!isAnswered) exchange.fail(error)
  })

  outgoing.on('upgrade', (incoming, _stream, firstBytes: Buffer) => {
    try {
      checkAnswer(incoming, way)
    } catch (error) {
      exchange.fail(error)
      return
    }
    const headers = responseHeaders(incoming.rawHeaders, exchange.replyHeaders, incoming.headers.upgrade)
    socket.write(headOf(101, incoming.statusMessage ?? '', headers), 'latin1')
    joinAfterHandshake({ socket, head, upstream, firstBytes, exchange })
  })
  outgoing.on('response', (incoming) => {
    try {
      checkAnswer(incoming, way)
    } catch (error) {
      exchange.fail(error)
      return
    }
    const headers = responseHeaders(incoming.rawHeaders, exchange.replyHeaders)
    socket.write(headOf(incoming.statusCode ?? 0, incoming.statusMessage ?? '', [...headers, 'Connection', 'close']), 'latin1')
    relayAnswer(incoming, exchange, () => {
      isAnswered = true
      endGently(socket)
    })
    incoming.pipe(socket, { end: false })
  })
  outgoing.end()
}

/** Joins the two connections once both sides know of each other; what came early is passed on first. */
export function joinAfterHandshake<User>(
  ends: Pick<Forwarding<User>, 'exchange' | 'upstream'> & { socket: Duplex; head: Buffer; firstBytes?: Buffer },
): void {
  const { socket, upstream, exchange } = ends
  upstream.on('error', (error) => exchange.fail(error))
  if (ends.firstBytes?.length) {
    exchange.bytesDown += ends.firstBytes.length
    socket.write(ends.firstBytes)
  }
  if (ends.head.length > 0) {
    exchange.bytesUp += ends.head.length
    upstream.write(ends.head)
  }
  splice(socket, upstream, {
    up: (bytes) => {
      exchange.bytesUp += bytes
    },
    down: (bytes) => {
      exchange.bytesDown += bytes
    },
  })
}
