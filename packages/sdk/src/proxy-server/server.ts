import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { abort } from './abort.ts'
import type { ExchangeSummary } from './exchange.ts'
import { FrontDoor } from './front-door.ts'
import { isLoopback } from './is-loopback.ts'
import { completeLimits, type ProxyServerOptions } from './options.ts'
import { ProxyError } from './proxy-error.ts'
import type { ProxyCounters } from './registry.ts'
import { ProxyService } from './service.ts'
import type { RefusalCode } from './statuses.ts'
import { type ProxyTls, TlsFront } from './tls-front.ts'

// An ESM `import` of node:http reads all of its exports, lazy ones too: on Node 24 that installs the built-in undici's global dispatcher.
const { createServer } = process.getBuiltinModule('node:http')

/**
 * A forward proxy: absolute-form requests, upgrades and CONNECT over HTTP/1.1, CONNECT over SOCKS5, on one port, in TLS too when it has a
 * certificate.
 */
export interface ProxyServer<User = string> {
  /**
   * Starts to listen. Throws `open_proxy` for an address beyond loopback when there is no `authenticate`, `listen_failed` when the
   * address cannot be had. Port 0 takes a free one.
   */
  listen(port: number, host?: string): Promise<{ host: string; port: number }>
  /** Answers every new request and CONNECT with 503 from now on, nothing forwarded; what is under way goes on. */
  refuse(code: RefusalCode): void
  /** Ends `refuse()`. */
  accept(): void
  /** Requests, upgrades and tunnels under way. Idle client connections do not count. */
  readonly activeCount: number
  /** Resolves when nothing is under way. */
  drained(): Promise<void>
  /**
   * Cuts everything under way, towards client and target, and returns how many that were. A client that has nothing of its answer yet is
   * told `connection_reset`, the others see a reset. Idle client connections stay. `of`: only what such users have under way.
   */
  destroyConnections(choice?: { of?: (user: User | null) => boolean; detail?: string }): number
  /** Totals since the server was made, and the connections that are open now. */
  counters(): ProxyCounters & { openConnections: number }
  /** What is under way, with its bytes so far: long tunnels are seen before they are over. */
  exchanges(): ExchangeSummary<User>[]
  /** Takes another certificate for new connections; throws `bad_options` and keeps the old one when it cannot be used. */
  renewCertificate(tls: Pick<ProxyTls, 'cert' | 'key'>): void
  /**
   * Stops listening and cuts every connection. `graceMs`: before that it answers new requests 503 and waits so long at most for what is
   * under way to finish. @default 0
   */
  close(options?: { graceMs?: number }): Promise<void>
}

/** Node looks for requests that take too long this often, at most. */
const MAX_CHECK_INTERVAL_MS = 5_000
const KEEP_ALIVE_PROBE_MS = 30_000
/** Connections beyond `maxConnections` that are still told why; further ones are dropped. */
const SURPLUS_CONNECTIONS = 64

/** Makes a proxy server; throws `bad_options` naming the option that is wrong. */
export function createProxyServer<User = string>(options: ProxyServerOptions<User>): ProxyServer<User> {
  const limits = completeLimits(options.limits)
  const service = new ProxyService(options, limits)
  const server = createServer({
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: limits.handshakeTimeoutMs,
    // An upload may take as long as bytes flow.
    requestTimeout: 0,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionsCheckingInterval: Math.min(MAX_CHECK_INTERVAL_MS, Math.ceil(limits.handshakeTimeoutMs / 2)),
    // The service answers a missing Host itself, with a problem body.
    requireHostHeader: false,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_PROBE_MS,
    // Whatever the process was started with.
    insecureHTTPParser: false,
  })
  // Node drops what is over its own limit without a word, framing fields included; the service counts.
  server.maxHeadersCount = 0
  server.timeout = limits.idleTimeoutMs
  server.maxConnections = limits.maxConnections + SURPLUS_CONNECTIONS
  const tls = options.tls ? new TlsFront(options.tls) : null
  const [serveHttp] = server.listeners('connection')
  server.removeAllListeners('connection')
  const door = new FrontDoor(service, { tls, limits, serveHttp: (stream) => serveHttp?.call(server, stream) })
  server.on('connection', (socket) => door.accept(socket))
  // Whatever goes wrong in our own code ends one connection, not the process.
  const guard = (stream: Duplex, work: Promise<void>): void => void work.catch(() => abort(stream))
  server.on('request', (req, res) => guard(req.socket, service.onRequest(req, res)))
  server.on('checkContinue', (req, res) => guard(req.socket, service.onRequest(req, res)))
  server.on('checkExpectation', (_, res) => service.onExpectation(res))
  server.on('upgrade', (req, socket, head) => guard(socket, service.onUpgrade(req, socket, head)))
  server.on('connect', (req, socket, head) => guard(socket, service.onConnect(req, socket, head)))
  server.on('clientError', (error, socket) => service.onClientError(error, socket))
  server.on('timeout', (socket) => service.onIdle(socket))

  return {
    listen: async (port, host = '127.0.0.1') => {
      if (!options.authenticate && !isLoopback(host)) {
        throw new ProxyError(
          'open_proxy',
          `Listening on ${host} without credentials would be an open proxy: give it "authenticate", or listen on 127.0.0.1.`,
        )
      }
      await new Promise<void>((resolve, reject) => {
        const onError = (error: NodeJS.ErrnoException): void => {
          reject(new ProxyError('listen_failed', `Cannot listen on ${host} port ${port} (${error.code}).`, { cause: error }))
        }
        server.once('error', onError)
        server.listen(port, host, () => {
          server.off('error', onError)
          resolve()
        })
      })
      const address = server.address() as AddressInfo
      return { host: address.address, port: address.port }
    },
    refuse: (code) => {
      service.admission.refusal = code
    },
    accept: () => {
      service.admission.refusal = null
    },
    get activeCount() {
      return service.registry.size
    },
    drained: () => service.registry.emptied(),
    destroyConnections: ({ of, detail = 'The device changes its address; the connection was cut.' } = {}) =>
      service.registry.failAll(new ProxyError('connection_reset', detail), of),
    counters: () => ({ ...service.registry.counters(), openConnections: service.connections.size }),
    exchanges: () => service.registry.summaries(),
    renewCertificate: (renewed) => {
      if (!tls) throw new ProxyError('bad_options', 'tls: this proxy was made without a certificate.')
      tls.renew(renewed)
    },
    close: async ({ graceMs = 0 } = {}) => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      service.isClosing = true
      service.admission.close()
      if (graceMs > 0) {
        service.admission.refusal ??= 'draining'
        service.connections.closeIdle()
        await inTime(service.registry.emptied(), graceMs)
      }
      service.connections.destroyAll()
      await closed
    },
  }
}

/** Waits for something, but not for longer than that. */
async function inTime(awaited: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([awaited, late])
  clearTimeout(timer)
}
