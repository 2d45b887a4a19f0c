import http from 'node:http'
import net from 'node:net'
import { type Duplex, Transform } from 'node:stream'
import tls from 'node:tls'
import { localhostCertificate } from './certificate.ts'
import { type Listening, listen } from './listen.ts'

/**
 * What a device's proxy does wrong.
 *
 * - `hang_accept`: accepts the connection and says nothing, not even TLS.
 * - `hang_connect`: takes the request (CONNECT or absolute form) and never answers, nor passes it on.
 * - `hang_header`: passes it on; nothing of the response comes back.
 * - `hang_body`: the head and the first byte of the body come back, nothing more.
 * - `reset`: resets the connection after so many bytes have come back (0: instead of any).
 * - `drop`: closes the connection instead of answering.
 * - `slow`: passes every piece of the response on only after so many ms.
 * - `garbage`: answers with bytes that are not HTTP.
 * - `status`: answers itself, e.g. with 407 or 502.
 * - `wrong_length`: says that the body is longer than it is, then closes.
 */
export type Fault =
  | { readonly kind: 'hang_accept' | 'hang_connect' | 'hang_header' | 'hang_body' | 'drop' | 'garbage' | 'wrong_length' }
  | { readonly kind: 'reset'; readonly afterBytes: number }
  | { readonly kind: 'slow'; readonly ms: number }
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Record<string, string> }

export interface FaultyProxyOptions {
  /** `user:password` that it asks for. */
  auth?: string
  /** Source address of its connections to targets: the exit IP, e.g. `127.10.1.1`. */
  egress?: string
  /** Speaks TLS to its clients. */
  tls?: boolean
}

export interface FaultyProxy extends Listening {
  /** With credentials, where it asks for them. */
  readonly url: string
  /** What it does wrong with every request from now on; null: nothing. */
  fault: Fault | null
  /** The exit IP; setting it is a rotation. */
  egress: string
  /** Connections that clients made, CONNECT requests, requests in absolute form. */
  readonly counts: { connections: number; connects: number; requests: number }
  /** Proxy-Authorization of the last request. */
  lastAuthorization: string | undefined
  /** Ends every connection. */
  dropAll(): void
  /** Stops listening, so that connections are refused; `accept` takes the same port again. */
  refuse(): Promise<void>
  accept(): Promise<void>
}

/** A forward proxy (CONNECT and absolute form) on loopback that can be told to misbehave. */
export async function startFaultyProxy({ auth, egress = '127.0.0.1', tls: isTls = false }: FaultyProxyOptions = {}): Promise<FaultyProxy> {
  const counts = { connections: 0, connects: 0, requests: 0 }
  let listening: Listening

  const isRefused = (header: string | undefined): boolean =>
    auth !== undefined && header !== `Basic ${Buffer.from(auth).toString('base64')}`

  const onConnection = (socket: net.Socket): void => {
    counts.connections++
    if (proxy.fault?.kind === 'hang_accept') socket.resume()
    else server.emit('connection', socket)
  }

  const onConnect = (request: http.IncomingMessage, client: Duplex, head: Buffer): void => {
    counts.connects++
    client.on('error', () => {})
    proxy.lastAuthorization = request.headers['proxy-authorization']
    if (isRefused(request.headers['proxy-authorization'])) {
      client.end('HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="test"\r\nContent-Length: 0\r\n\r\n')
      return
    }
    const { fault } = proxy
    if (fault?.kind === 'hang_connect') return
    if (fault?.kind === 'status') {
      const lines = Object.entries(fault.headers ?? {}).map(([name, value]) => `${name}: ${value}\r\n`)
      client.end(`HTTP/1.1 ${fault.status} Fault\r\n${lines.join('')}Content-Length: 0\r\n\r\n`)
      return
    }
    if (breakOff(fault, client)) return
    const { hostname, port } = new URL(`http://${request.url}`)
    let isOpen = false
    const target = net.connect({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port), localAddress: proxy.egress }, () => {
      isOpen = true
      client.write('HTTP/1.1 200 Connection established\r\n\r\n')
      target.write(head)
      client.pipe(target)
      target.pipe(misbehave(proxy.fault, client)).pipe(client)
    })
    target.setNoDelay(true)
    target.on('error', () => {})
    target.on('close', () => {
      if (isOpen) client.destroy()
      else client.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n')
    })
    client.on('close', () => target.destroy())
  }

  const onRequest = (request: http.IncomingMessage, response: http.ServerResponse): void => {
    counts.requests++
    proxy.lastAuthorization = request.headers['proxy-authorization']
    const { fault } = proxy
    if (isRefused(request.headers['proxy-authorization'])) response.writeHead(407, { 'proxy-authenticate': 'Basic realm="test"' }).end()
    else if (fault?.kind === 'status') response.writeHead(fault.status, fault.headers).end('proxy says')
    else if (fault?.kind !== 'hang_connect' && !breakOff(fault, request.socket)) forward(request, response)
  }

  const forward = (request: http.IncomingMessage, response: http.ServerResponse): void => {
    const { fault } = proxy
    const url = new URL(request.url ?? '')
    const { 'proxy-authorization': _credentials, 'proxy-connection': _connection, ...headers } = request.headers
    const upstream = http.request({
      host: url.hostname,
      port: url.port,
      path: url.pathname + url.search,
      method: request.method ?? 'GET',
      headers,
      localAddress: proxy.egress,
      agent: false,
    })
    upstream.on('response', (answer) => {
      if (fault?.kind === 'hang_header') return
      const length = Number(answer.headers['content-length'] ?? 0)
      const said = fault?.kind === 'wrong_length' ? { ...answer.headers, 'content-length': String(length + 100) } : answer.headers
      response.writeHead(answer.statusCode ?? 502, said)
      response.flushHeaders()
      const through = answer.pipe(misbehave(fault, request.socket))
      through.on('data', (chunk: Buffer) => response.write(chunk))
      through.on('end', () => (fault?.kind === 'wrong_length' ? request.socket.end() : response.end()))
      answer.on('aborted', () => request.socket.destroy())
    })
    upstream.on('error', () => (response.headersSent ? request.socket.destroy() : response.writeHead(502).end()))
    response.on('close', () => upstream.destroy())
    request.pipe(upstream)
  }

  const server = http.createServer(onRequest)
  server.on('connect', onConnect)
  server.keepAliveTimeout = 60_000
  const front = (): net.Server => (isTls ? tls.createServer(localhostCertificate, onConnection) : net.createServer(onConnection))

  const proxy: FaultyProxy = {
    fault: null,
    egress,
    counts,
    lastAuthorization: undefined,
    get url() {
      return `${isTls ? 'https' : 'http'}://${auth === undefined ? '' : `${auth.split(':').map(encodeURIComponent).join(':')}@`}127.0.0.1:${listening.port}`
    },
    get port() {
      return listening.port
    },
    get sockets() {
      return listening.sockets
    },
    dropAll() {
      for (const socket of listening.sockets) socket.destroy()
    },
    refuse: () => listening.close(),
    async accept() {
      listening = await listen(front(), '127.0.0.1', listening.port)
    },
    close: () => listening.close(),
  }
  listening = await listen(front())
  return proxy
}

/** Ends the connection the way the fault has it; false when it does not. */
function breakOff(fault: Fault | null, client: Duplex): boolean {
  if (fault?.kind === 'drop') client.destroy()
  else if (fault?.kind === 'garbage') client.end('220 smtp.example.com ESMTP\r\n')
  else if (fault?.kind === 'reset' && fault.afterBytes === 0) reset(client)
  else return false
  return true
}

/** The way back of a response, with what goes wrong on it. */
function misbehave(fault: Fault | null, client: Duplex): Transform {
  let passed = 0
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const before = passed
      passed += chunk.length
      switch (fault?.kind) {
        case 'hang_header':
          done()
          return
        case 'hang_body':
          done(null, before === 0 ? chunk.subarray(0, 1) : undefined)
          return
        case 'slow':
          setTimeout(() => done(null, chunk), fault.ms)
          return
        case 'reset':
          if (passed >= fault.afterBytes) setImmediate(() => reset(client))
          done(null, chunk.subarray(0, Math.max(0, fault.afterBytes - before)))
          return
        default:
          done(null, chunk)
      }
    },
  })
}

function reset(socket: Duplex): void {
  if (socket instanceof net.Socket) socket.resetAndDestroy()
  else socket.destroy()
}
