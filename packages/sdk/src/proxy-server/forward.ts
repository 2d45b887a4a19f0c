import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { abort } from './abort.ts'
import type { Exchange } from './exchange.ts'
import { flushHeadSoon } from './flush-head.ts'
import { endToEndTrailers, framingOf, requestHeaders, responseHeaders } from './headers.ts'
import type { ProxyServerOptions } from './options.ts'
import { ProxyError } from './proxy-error.ts'
import type { AbsoluteTarget } from './target.ts'

// Not imported, for the reason given in server.ts.
const { request } = process.getBuiltinModule('node:http')

/** One plain request whose connection to the target stands. */
export interface Forwarding<User> {
  readonly exchange: Exchange<User>
  readonly upstream: Duplex
  readonly target: AbsoluteTarget
  readonly maxHeaderBytes: number
  readonly maxHeaders: number
  readonly onAnswer: ProxyServerOptions<User>['onAnswer']
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
  // Node closes the connection without a word then.
  outgoing.on('upgrade', () => exchange.fail(new ProxyError('bad_response', 'The target switched protocols without being asked.')))
  outgoing.on('error', (error) => {
    // A target that has answered in full may stop reading the rest of the request.
    if (!isAnswered) exchange.fail(error)
  })
  outgoing.on('response', (incoming) => {
    try {
      checkAnswer(incoming, way)
      res.sendDate = false
      const headers = responseHeaders(incoming.rawHeaders, exchange.replyHeaders)
      res.writeHead(incoming.statusCode ?? 0, incoming.statusMessage ?? '', headers)
      flushHeadSoon(res)
    } catch (error) {
      exchange.fail(error)
      return
    }
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
    if (req.rawTrailers.length > 0) outgoing.addTrailers(endToEndTrailers(req.rawTrailers))
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
  const outgoing = request({
    createConnection: () => way.upstream,
    method,
    path,
    headers: requestHeaders(req.rawHeaders, { method, hostHeader, framing: framingOf(req.headers), upgrade }),
    maxHeaderSize: way.maxHeaderBytes,
    insecureHTTPParser: false,
  })
  // Node drops what is over its own limit without a word, framing fields included.
  outgoing.maxHeadersCount = 0
  return outgoing
}

/** Looks at the head of a target's answer before any of it reaches the client; throws `bad_response`. */
export function checkAnswer<User>(incoming: IncomingMessage, { exchange, maxHeaders, onAnswer }: Forwarding<User>): void {
  const fields = incoming.rawHeaders.length / 2
  if (fields > maxHeaders) throw new ProxyError('bad_response', `The answer has ${fields} header fields; ${maxHeaders} are the most.`)
  if (framingOf(incoming.headers) === 'unknown') throw unknownCoding()
  const { statusCode: status = 0, rawHeaders: headers } = incoming
  onAnswer?.({ ...exchange.summary(), status }, { status, headers })
  exchange.status = status
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
    else onComplete(endToEndTrailers(incoming.rawTrailers))
  })
}
