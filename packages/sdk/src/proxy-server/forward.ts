import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { abort } from './abort.ts'
import type { Exchange } from './exchange.ts'
import { framingOf, requestHeaders, responseHeaders } from './headers.ts'
import { ProxyError } from './proxy-error.ts'
import type { AbsoluteTarget } from './target.ts'

// Not imported, for the reason given in server.ts.
const { request } = process.getBuiltinModule('node:http')
const NOTHING = Buffer.alloc(0)

/** One plain request whose connection to the target stands. */
export interface Forwarding<User> {
  readonly exchange: Exchange<User>
  readonly upstream: Duplex
  readonly target: AbsoluteTarget
  readonly replyHeaders: ReadonlyMap<string, string>
  readonly maxHeaderBytes: number
}

/**
 * Sends the request on, and the answer back as it comes. Each request has a connection of its own to the target: a reused one may be
 * closing already, and a POST lost in it could not be repeated.
 */
export function forwardRequest<User>(req: IncomingMessage, res: ServerResponse, way: Forwarding<User>): void {
  const { exchange, upstream } = way
  const outgoing = openRequest(req, way)
  let isAnswered = false

  outgoing.on('continue', () => res.writeContinue())
  outgoing.on('information', ({ statusCode, headers }) => {
    // A client of HTTP/1.0 takes a first answer for the last one.
    if (statusCode === 103 && headers.link !== undefined && req.httpVersion !== '1.0') res.writeEarlyHints({ link: headers.link })
  })
  outgoing.on('error', (error) => {
    // A target that has answered in full may stop reading the rest of the request.
    if (!isAnswered) exchange.fail(error)
  })
  outgoing.on('response', (incoming) => {
    try {
      if (framingOf(incoming.headers) === 'unknown') throw unknownCoding()
      res.sendDate = false
      const headers = responseHeaders(incoming.rawHeaders, way.replyHeaders)
      res.writeHead(incoming.statusCode ?? 0, incoming.statusMessage ?? '', headers)
      // Sends the head now, as flushHeaders() would, which spoils bytes beyond ASCII (Node writes it as UTF-8 then).
      res.write(NOTHING)
    } catch (error) {
      exchange.fail(error)
      return
    }
    exchange.status = incoming.statusCode ?? null
    relayAnswer(incoming, exchange, (trailers) => {
      isAnswered = true
      res.addTrailers(trailers)
      res.end()
    })
    incoming.pipe(res, { end: false })
  })

  exchange.signal.addEventListener('abort', () => {
    // First: destroying the request would close its connection as if all were well.
    abort(upstream)
    outgoing.destroy()
  })
  req.on('data', (chunk: Buffer) => {
    exchange.bytesUp += chunk.length
  })
  req.on('end', () => {
    if (req.rawTrailers.length > 0) outgoing.addTrailers(pairs(req.rawTrailers))
    outgoing.end()
  })
  req.pipe(outgoing, { end: false })
  // What the target did not wait for is read and dropped, or the client would be stuck in its upload.
  res.on('close', () => req.unpipe(outgoing).resume())
}

/** The answer is coded in a way that cannot be undone here. */
export const unknownCoding = (): ProxyError => new ProxyError('bad_response', 'The answer has an unknown Transfer-Encoding.')

/** Starts the request to the target on the given connection. */
export function openRequest<User>(req: IncomingMessage, way: Forwarding<User>, upgrade?: string): ClientRequest {
  const method = req.method ?? 'GET'
  const { hostHeader, path } = way.target
  return request({
    createConnection: () => way.upstream,
    method,
    path,
    headers: requestHeaders(req.rawHeaders, { method, hostHeader, framing: framingOf(req.headers), upgrade }),
    maxHeaderSize: way.maxHeaderBytes,
  })
}

/** Counts the answer's bytes and calls `onComplete` when it has come whole; an answer cut on its way fails the exchange. */
export function relayAnswer<User>(
  incoming: IncomingMessage,
  exchange: Exchange<User>,
  onComplete: (trailers: [string, string][]) => void,
): void {
  const cut = (): void => exchange.fail(new ProxyError('connection_reset', 'The target cut its answer.'))
  incoming.on('data', (chunk: Buffer) => {
    exchange.bytesDown += chunk.length
  })
  incoming.on('error', cut)
  incoming.on('end', () => {
    // Node promises an error for a cut answer; `complete` is what it documents to be checked.
    if (!incoming.complete || exchange.failure) cut()
    else onComplete(pairs(incoming.rawTrailers))
  })
}

function pairs(raw: readonly string[]): [string, string][] {
  const list: [string, string][] = []
  for (let i = 0; i < raw.length; i += 2) list.push([raw[i] ?? '', raw[i + 1] ?? ''])
  return list
}
