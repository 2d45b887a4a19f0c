import type { IncomingMessage, ServerResponse } from 'node:http'
import { PassThrough, type Readable } from 'node:stream'
import type { Exchange } from './exchange.ts'
import { flushHeadSoon } from './flush-head.ts'
import { unknownCoding } from './forward.ts'
import { endToEndForHost, endToEndTrailers, framingOf, responseHeaders } from './headers.ts'
import type { ProxyServerOptions } from './options.ts'
import type { AbsoluteTarget, ProxyTarget } from './target.ts'
import type { ProxyContext } from './upstream.ts'

/** A plain request, without what concerns only the client's connection. */
export interface PlainRequest {
  /** Where it goes. */
  readonly target: ProxyTarget
  /** As the client wrote it. */
  readonly method: string
  /** Path and query as the client wrote them. */
  readonly path: string
  /** Flat list, `Host` and `Content-Length` included, without `Transfer-Encoding` and `Expect`. */
  readonly headers: readonly string[]
  /** Null: there is none. Can be read once; the client is let send when somebody begins to read. */
  readonly body: AsyncIterable<Buffer> | null
}

/** The answer to one. */
export interface PlainAnswer {
  /** HTTP status. */
  readonly status: number
  /** The reason phrase; may be empty. */
  readonly reason: string
  /** Flat list as the site sent it; what concerns only its connection is taken out. */
  readonly headers: readonly string[]
  /** Destroyed when nobody is there any more to read it; an error cuts the client's answer. */
  readonly body: Readable
  /** Asked when the body has ended. */
  trailers(): readonly (readonly [name: string, value: string])[]
}

/** Serves a plain request. It must end when `context.signal` is aborted. */
export type Forward<User> = (request: PlainRequest, context: ProxyContext<User>) => Promise<PlainAnswer>

/** One plain request for `forward()`. */
interface Serving<User> {
  readonly exchange: Exchange<User>
  readonly target: AbsoluteTarget
  readonly context: ProxyContext<User>
  readonly forward: Forward<User>
  readonly onAnswer: ProxyServerOptions<User>['onAnswer']
}

/** Hands a request to `forward()` and gives the client its answer, both as they come and no faster than the other side takes them. */
export async function serveRequest<User>(req: IncomingMessage, res: ServerResponse, serving: Serving<User>): Promise<void> {
  const { exchange, target, context } = serving
  let answer: PlainAnswer
  try {
    answer = await serving.forward(
      {
        target: exchange.target,
        method: req.method ?? 'GET',
        path: target.path,
        headers: withoutExpect(endToEndForHost(req.rawHeaders, target.hostHeader)),
        body: hasBody(req) ? bodyOf(req, res, exchange) : null,
      },
      context,
    )
  } catch (error) {
    exchange.fail(error)
    return
  }
  const { body } = answer
  body.on('error', (error) => exchange.fail(error))
  if (exchange.signal.aborted || res.destroyed) {
    body.destroy()
    return
  }
  res.on('close', () => body.destroy())
  try {
    const coding = fieldOf(answer.headers, 'transfer-encoding')
    if (framingOf({ 'transfer-encoding': coding }) === 'unknown') throw unknownCoding()
    serving.onAnswer?.({ ...exchange.summary(), status: answer.status }, { status: answer.status, headers: answer.headers })
    res.sendDate = false
    res.writeHead(answer.status, answer.reason, responseHeaders(answer.headers, context.replyHeaders))
    flushHeadSoon(res)
  } catch (error) {
    body.destroy()
    exchange.fail(error)
    return
  }
  exchange.status = answer.status
  body.on('data', (chunk: Buffer) => {
    exchange.bytesDown += chunk.length
  })
  body.on('end', () => {
    res.addTrailers(endToEndTrailers(answer.trailers().flat()))
    res.end()
  })
  body.pipe(res, { end: false })
}

function hasBody(req: IncomingMessage): boolean {
  const framing = framingOf(req.headers)
  return framing === 'chunked' || (framing === 'length' && req.headers['content-length'] !== '0')
}

/** The request's body. What nobody reads of it is dropped when the answer is complete, or the client would be stuck in its upload. */
function bodyOf<User>(req: IncomingMessage, res: ServerResponse, exchange: Exchange<User>): AsyncIterable<Buffer> {
  const through = new PassThrough()
  exchange.signal.addEventListener('abort', () => through.destroy())
  res.on('close', () => req.unpipe(through).resume())
  return (async function* () {
    if (req.headers.expect !== undefined) res.writeContinue()
    req.on('data', (chunk: Buffer) => {
      exchange.bytesUp += chunk.length
    })
    req.pipe(through)
    yield* through as AsyncIterable<Buffer>
  })()
}

/** The site is not asked to wait: the client was told to go on already. */
function withoutExpect(headers: readonly string[]): string[] {
  return headers.filter((_, at) => headers[at - (at % 2)]?.toLowerCase() !== 'expect')
}

function fieldOf(headers: readonly string[], lowerCaseName: string): string | undefined {
  const at = headers.findIndex((text, index) => index % 2 === 0 && text.toLowerCase() === lowerCaseName)
  return at < 0 ? undefined : headers[at + 1]
}
