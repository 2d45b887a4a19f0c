import type { AddressInfo } from 'node:net'
import { isLoopback } from './is-loopback.ts'
import { completeLimits, type ProxyServerOptions } from './options.ts'
import { ProxyError } from './proxy-error.ts'
import type { ProxyCounters } from './registry.ts'
import { ProxyService } from './service.ts'
import type { RefusalCode } from './statuses.ts'

// An ESM `import` of node:http reads all of its exports, lazy ones too: on Node 24 that installs the built-in undici's global dispatcher.
const { createServer } = process.getBuiltinModule('node:http')

/** A forward proxy: absolute-form requests, upgrades and CONNECT over HTTP/1.1. */
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
  counters(): ProxyCounters & { openConnections: number }
  /** Stops listening and cuts every connection. For an orderly end call `refuse('draining')` and wait for `drained()` first. */
  close(): Promise<void>
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
  })
  server.timeout = limits.idleTimeoutMs
  server.maxConnections = limits.maxConnections + SURPLUS_CONNECTIONS
  server.on('connection', (socket) => service.connections.add(socket))
  server.on('request', (req, res) => void service.onRequest(req, res))
  server.on('checkContinue', (req, res) => void service.onRequest(req, res))
  server.on('upgrade', (req, socket, head) => void service.onUpgrade(req, socket, head))
  server.on('connect', (req, socket, head) => void service.onConnect(req, socket, head))
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
      service.refusal = code
    },
    accept: () => {
      service.refusal = null
    },
    get activeCount() {
      return service.registry.size
    },
    drained: () => service.registry.emptied(),
    destroyConnections: ({ of, detail = 'The device changes its address; the connection was cut.' } = {}) =>
      service.registry.failAll(new ProxyError('connection_reset', detail), of),
    counters: () => ({ ...service.registry.counters(), openConnections: service.connections.size }),
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      service.connections.destroyAll()
      await closed
    },
  }
}
