import http from 'node:http'
import net from 'node:net'
import type { Duplex } from 'node:stream'
import tls from 'node:tls'
import { localhostCertificate } from './certificate.ts'
import { breakOff, type Fault, misbehave } from './fault.ts'
import { type Listening, listen } from './listen.ts'

export interface FaultyProxyOptions {
  /** `user:password` that it asks for. */
  auth?: string
  /** Source address of its connections to targets: the exit IP, e.g. `127.10.1.1`. */
  egress?: string
  /** Speaks TLS to its clients. */
  tls?: boolean
  /**
   * What goes wrong next, asked once for every connection (of which only `hang_accept` is taken) and once for every CONNECT and every
   * request in absolute form. Goes before `fault`.
   */
  plan?: FaultPlan
  /** Where it listens. Default: an address of its own, so that nobody else gets its port while it refuses; 127.0.0.1 with TLS, as the certificate says. */
  host?: string
}

export type FaultPlan = (moment: 'connection' | 'exchange') => Fault | null

export interface FaultyProxy extends Listening {
  /** Where it listens: `host:port`. */
  readonly authority: string
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
  /** Names that clients gave in their TLS handshake with it; false: none. */
  readonly serverNames: (string | false)[]
  /** Its connections stay open and nothing passes them any more, as where a modem hangs. */
  freeze(): void
  /** Ends every connection. */
  dropAll(): void
  /** Stops listening, so that connections are refused; `accept` takes the same port again. */
  refuse(): Promise<void>
  accept(): Promise<void>
}

let lastAddress = 0
/** A loopback address that no other proxy of this process has, and, by its pid, hardly one of another process: 127.192.0.0/10. */
function ownAddress(): string {
  lastAddress = (lastAddress % 254) + 1
  return `127.${192 + (process.pid & 63)}.${(process.pid >> 6) & 255}.${lastAddress}`
}

const withoutBrackets = (hostname: string): string => hostname.replace(/^\[|\]$/g, '')

/** A forward proxy (CONNECT and absolute form) on loopback that can be told to misbehave. */
export async function startFaultyProxy(options: FaultyProxyOptions = {}): Promise<FaultyProxy> {
  const { auth, egress = '127.0.0.1', tls: isTls = false, plan } = options
  const host = options.host ?? (isTls ? '127.0.0.1' : ownAddress())
  const counts = { connections: 0, connects: 0, requests: 0 }
  let listening: Listening

  const isRefused = (header: string | undefined): boolean =>
    auth !== undefined && header !== `Basic ${Buffer.from(auth).toString('base64')}`

  const nextFault = (moment: 'connection' | 'exchange'): Fault | null => plan?.(moment) ?? proxy.fault

  const onConnection = (socket: net.Socket): void => {
    counts.connections++
    if (socket instanceof tls.TLSSocket) proxy.serverNames.push('servername' in socket ? (socket.servername as string | false) : false)
    if (nextFault('connection')?.kind === 'hang_accept') socket.resume()
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
    const fault = nextFault('exchange')
    if (fault?.kind === 'hang_connect') return
    if (fault?.kind === 'status') {
      const lines = Object.entries(fault.headers ?? {}).map(([name, value]) => `${name}: ${value}\r\n`)
      client.end(`HTTP/1.1 ${fault.status} Fault\r\n${lines.join('')}Content-Length: 0\r\n\r\n`)
      return
    }
    if (breakOff(fault, client)) return
    const { hostname, port } = new URL(`http://${request.url}`)
    let isOpen = false
    const target = net.connect({ host: withoutBrackets(hostname), port: Number(port), localAddress: proxy.egress }, () => {
      isOpen = true
      client.write('HTTP/1.1 200 Connection established\r\n\r\n')
      target.write(head)
      client.pipe(target)
      target.pipe(misbehave(fault, client)).pipe(client)
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
    const fault = nextFault('exchange')
    if (isRefused(request.headers['proxy-authorization'])) response.writeHead(407, { 'proxy-authenticate': 'Basic realm="test"' }).end()
    else if (fault?.kind === 'status') response.writeHead(fault.status, fault.headers).end('proxy says')
    // What nobody reads would keep the end of the connection from being seen.
    else if (fault?.kind === 'hang_connect' || breakOff(fault, request.socket)) request.resume()
    else forward(request, response, fault)
  }

  const forward = (request: http.IncomingMessage, response: http.ServerResponse, fault: Fault | null): void => {
    const url = new URL(request.url ?? '')
    const { 'proxy-authorization': _credentials, 'proxy-connection': _connection, ...headers } = request.headers
    const upstream = http.request({
      host: withoutBrackets(url.hostname),
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
    serverNames: [],
    get authority() {
      return `${net.isIPv6(host) ? `[${host}]` : host}:${listening.port}`
    },
    get url() {
      return `${isTls ? 'https' : 'http'}://${auth === undefined ? '' : `${auth.split(':').map(encodeURIComponent).join(':')}@`}${proxy.authority}`
    },
    get port() {
      return listening.port
    },
    get sockets() {
      return listening.sockets
    },
    freeze() {
      for (const socket of listening.sockets) {
        socket.cork()
        socket.unpipe()
        socket.pause()
      }
    },
    dropAll() {
      for (const socket of listening.sockets) socket.destroy()
    },
    refuse: () => listening.close(),
    async accept() {
      listening = await listen(front(), host, listening.port)
    },
    close: () => listening.close(),
  }
  listening = await listen(front(), host)
  return proxy
}
