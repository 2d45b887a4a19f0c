import http from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import { pipeline, Readable } from 'node:stream'
import { localhostCertificate } from './certificate.ts'
import { echoWebSocket } from './echo-web-socket.ts'
import { type Listening, listen } from './listen.ts'

/** What the origin saw of a request; it is also what `/` answers, as JSON. */
export interface SeenRequest {
  readonly method: string
  readonly url: string
  readonly remoteAddress: string
  readonly httpVersion: string
  readonly host: string | undefined
  readonly body: string
  readonly headers: http.IncomingHttpHeaders
}

export interface OriginOptions {
  tls?: boolean
  /** Speaks HTTP/2 with who offers it; with `tls` only. */
  http2?: boolean
  /** Where it listens. */
  host?: string
  /** Answers an address with 403 after so many requests from it. */
  banAfter?: number
}

export interface Origin extends Listening {
  readonly url: string
  readonly seen: SeenRequest[]
  /** How often each `?id=` was seen. */
  readonly ids: ReadonlyMap<string, number>
  /** Answers this address with a ban from now on. */
  ban(address: string, ban?: { status?: number; retryAfter?: string }): void
  unban(address: string): void
}

/**
 * A target site on loopback. Its paths:
 * `/` tells what it saw; `/status/503` answers with that status; `/bytes/1000` with so many bytes; `/cut/1000` breaks off after half of them;
 * `/slow/200` answers after so many ms; `/stream/200` sends one part at once and one after so many ms; `/hang` never answers;
 * `/reset` resets the connection; `/redirect` leads to `/`; `/gzip` is compressed; `/cookies` sets two; `/fresh/60` may be
 * kept by a cache for so many seconds; any upgrade to websocket is an echo.
 */
export async function startOrigin({
  tls = false,
  http2: isHttp2 = false,
  host = '127.0.0.1',
  banAfter = Number.POSITIVE_INFINITY,
}: OriginOptions = {}): Promise<Origin> {
  const seen: SeenRequest[] = []
  const ids = new Map<string, number>()
  const counts = new Map<string, number>()
  const bans = new Map<string, { status: number; retryAfter?: string }>()

  const answer = async (request: http.IncomingMessage, response: http.ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://origin')
    const remoteAddress = (request.socket.remoteAddress ?? '').replace(/^::ffff:/, '')
    const chunks: Buffer[] = []
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer)
    } catch {
      return
    }
    const { method = '', headers } = request
    const one: SeenRequest = {
      method,
      url: request.url ?? '',
      remoteAddress,
      httpVersion: request.httpVersion,
      host: headers.host ?? (headers[':authority'] as string | undefined),
      body: Buffer.concat(chunks).toString(),
      headers,
    }
    seen.push(one)
    const id = url.searchParams.get('id')
    if (id !== null) ids.set(id, (ids.get(id) ?? 0) + 1)

    counts.set(remoteAddress, (counts.get(remoteAddress) ?? 0) + 1)
    if ((counts.get(remoteAddress) ?? 0) > banAfter && !bans.has(remoteAddress)) bans.set(remoteAddress, { status: 403 })
    const ban = bans.get(remoteAddress)
    if (ban !== undefined) {
      response.writeHead(ban.status, ban.retryAfter === undefined ? {} : { 'retry-after': ban.retryAfter }).end('banned')
      return
    }
    route(url, one, response)
  }

  const onRequest = (request: http.IncomingMessage, response: http.ServerResponse): void => void answer(request, response)
  const server = isHttp2
    ? // Node's compatibility layer: its requests and responses are used here only as far as they are alike.
      (http2.createSecureServer({ ...localhostCertificate, allowHTTP1: true }, onRequest as never) as unknown as https.Server)
    : tls
      ? https.createServer(localhostCertificate, onRequest)
      : http.createServer(onRequest)
  server.keepAliveTimeout = 60_000
  server.on('upgrade', echoWebSocket)
  const listening = await listen(server, host)
  return {
    ...listening,
    url: `${tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${listening.port}`,
    seen,
    ids,
    ban: (address, { status = 403, retryAfter } = {}) => bans.set(address, { status, ...(retryAfter === undefined ? {} : { retryAfter }) }),
    unban: (address) => bans.delete(address),
  }
}

function* pieces(bytes: number): Generator<Buffer> {
  for (let left = bytes; left > 0; left -= 65_536) yield Buffer.alloc(Math.min(left, 65_536), 'x')
}

function route(url: URL, seen: SeenRequest, response: http.ServerResponse): void {
  const [, name = '', argument = ''] = url.pathname.split('/')
  const number = Number(argument)
  switch (name) {
    case 'status':
      response.writeHead(number).end(`status ${number}`)
      return
    case 'bytes':
      response.writeHead(200, { 'content-length': number })
      pipeline(Readable.from(pieces(number)), response, () => {})
      return
    case 'cut':
      response.writeHead(200, { 'content-length': number })
      response.write(Buffer.alloc(Math.floor(number / 2), 'x'), () => response.destroy())
      return
    case 'slow':
      setTimeout(() => response.end('slow'), number)
      return
    case 'stream':
      response.write('first')
      setTimeout(() => response.end('second'), number)
      return
    case 'hang':
      return
    case 'reset':
      response.socket?.resetAndDestroy()
      return
    case 'redirect':
      response.writeHead(302, { location: '/' }).end()
      return
    case 'gzip':
      // gzip of "hello gzip"
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(Buffer.from('H4sIAAAAAAACA8tIzcnJV0ivyiwAABlq0t8KAAAA', 'base64'))
      return
    case 'cookies':
      response.writeHead(200, { 'set-cookie': ['a=1', 'b=2'] }).end()
      return
    case 'fresh':
      response.writeHead(200, { 'content-type': 'application/json', 'cache-control': `max-age=${number}` }).end(JSON.stringify(seen))
      return
    default:
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(seen))
  }
}
