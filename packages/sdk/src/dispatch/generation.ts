/// <reference path="./undici-deep.d.ts" />
import net from 'node:net'
import type { Duplex } from 'node:stream'
import type { ConnectionOptions } from 'node:tls'
import buildConnector from 'undici/lib/core/connect.js'
import { connectForward, type DeviceLink, type SocketCallback } from './connect-device.ts'
import { type CarriedHandler, Connections, type ConnectionsSettings, type Route, type SocketKeeper } from './connections.ts'
import type { DispatchOptions } from './handlers.ts'
import { openTunnel, type TunnelUpgrade } from './open-tunnel.ts'
import { Opening, unwantedError } from './opening.ts'
import { headerValue } from './request-headers.ts'
import { hostnameOf, type Target } from './target.ts'

export interface GenerationSettings extends ConnectionsSettings {
  /** TLS towards targets. */
  readonly requestTls: ConnectionOptions
  /** Offers HTTP/2 to https: targets. */
  readonly http2: boolean
}

/** Routes remembered, so that a crawl of many hosts does not grow for ever. */
const REMEMBERED_ROUTES = 1_000

/**
 * One generation of a device's connections: all that was opened since its last rotation. A rotation throws the whole of it away,
 * TLS sessions included: they live in the connectors, and resuming one would link the new exit IP to the old.
 */
export class Generation implements SocketKeeper {
  readonly #link: DeviceLink
  readonly #connections: Connections
  readonly #onConnected: GenerationSettings['onConnected']
  readonly #connectTls: ReturnType<typeof buildConnector>
  /** Offers HTTP/2 as well; null: it is not wanted. */
  readonly #connectHttp2: ReturnType<typeof buildConnector> | null
  /** What undici takes requests in absolute form for. */
  readonly origin: string
  readonly #forwardRoute: Route
  /** To targets under their own name; made once, not once a request. */
  readonly #tunnelRoutes = new Map<string, Route>()
  /** Sockets that are in nobody's hands here but belong to this generation, and how each is ended with an error. */
  readonly #adopted = new Map<Duplex, (error: Error) => void>()
  /** Of those, the ones that nobody uses now. */
  readonly #resting = new Set<Duplex>()
  /** Connections being made that will be adopted. */
  readonly #opening = new Set<Opening>()
  #isClosing: boolean = false
  #onAdoptedGone: (() => void) | null = null

  constructor(link: DeviceLink, settings: GenerationSettings) {
    this.#link = link
    this.#connections = new Connections(settings)
    this.#onConnected = settings.onConnected
    this.#connectTls = buildConnector({ ...settings.requestTls, allowH2: false, timeout: 0 })
    this.#connectHttp2 = settings.http2 ? buildConnector({ ...settings.requestTls, allowH2: true, timeout: 0 }) : null
    const { hostname, port } = link.endpoint
    // Always an http: origin: TLS towards an https:// proxy is the connector's business, and undici would take the target's name for it.
    this.origin = `http://${net.isIPv6(hostname) ? `[${hostname}]` : hostname}:${port}`
    this.#forwardRoute = {
      key: 'forward',
      origin: this.origin,
      kind: 'forward',
      isHttp2: false,
      open: (callback) => connectForward(link, callback),
    }
  }

  /** Sends a request through a tunnel to its target. */
  tunnel(options: DispatchOptions, target: Target, handler: CarriedHandler): void {
    handler.carriedBy?.(this)
    this.#connections.dispatch(this.#tunnelRoute(options, target), options, handler)
  }

  /** Sends a request in absolute form; its origin, path and headers are ready for that. */
  forward(options: DispatchOptions, handler: CarriedHandler): void {
    this.#connections.dispatch(this.#forwardRoute, options, handler)
  }

  /**
   * Makes a connection that such a request could use, and keeps it idle once it stands. Null: there is one already.
   * `target` null: for requests in absolute form.
   */
  prepare(options: DispatchOptions, target: Target | null, onEnd: (error: Error | null) => void): Opening | null {
    const route = target === null ? this.#forwardRoute : this.#tunnelRoute(options, target)
    return this.#connections.hasIdle(route.key) ? null : this.#connections.prepare(route, onEnd)
  }

  /**
   * Opens a connection for bytes that are not a request's; it is adopted, or closed if nobody waits for it any more. `target` null: to
   * the device's own proxy. The callback is never called before this returns.
   */
  connect(
    target: { readonly hostname: string; readonly port: number; readonly upgrade?: TunnelUpgrade } | null,
    callback: SocketCallback,
  ): Opening {
    const begunAt = performance.now()
    const opening = new Opening(callback)
    const done: SocketCallback = (error, socket) => {
      this.#opening.delete(opening)
      if (socket !== null) {
        this.#onConnected(target === null ? 'forward' : target.upgrade === undefined ? 'raw' : 'tunnel', performance.now() - begunAt)
        if (opening.isDetached) socket.on('error', () => {}).destroy()
        else this.adopt(socket, (reason) => socket.destroy(reason))
      }
      opening.end(error, socket)
      this.#tellIfGone()
    }
    opening.begun(
      target === null ? connectForward(this.#link, done) : openTunnel(this.#link, { ...target, upgrade: target.upgrade ?? null }, done),
    )
    this.#opening.add(opening)
    return opening
  }

  /** A socket (WebSocket, path) has left undici's hands or was never in them; it still belongs to this generation. */
  adopt(socket: Duplex, end: (error: Error) => void): void {
    this.#adopted.set(socket, end)
    socket.once('close', () => {
      this.#adopted.delete(socket)
      this.#resting.delete(socket)
      this.#tellIfGone()
    })
  }

  /** Nobody uses this adopted socket now: a drain need not wait for it. */
  rest(socket: Duplex): void {
    if (!this.#adopted.has(socket)) return
    if (this.#isClosing) socket.destroy()
    else this.#resting.add(socket)
  }

  /** A resting socket is in use again; false: it is closed, or about to be. */
  wake(socket: Duplex): boolean {
    return this.#resting.delete(socket) && !socket.destroyed && !this.#isClosing
  }

  /** Idle sockets close at once, requests in flight finish; resolves when all is closed. */
  async close(): Promise<void> {
    this.#isClosing = true
    const adoptedGone = new Promise<void>((resolve) => {
      this.#onAdoptedGone = resolve
    })
    for (const socket of [...this.#resting]) socket.destroy()
    for (const opening of [...this.#opening]) if (opening.isDetached) opening.cancel(unwantedError())
    this.#tellIfGone()
    await Promise.all([this.#connections.close(), adoptedGone])
  }

  /** Everything ends now; requests in flight get this error. */
  async destroy(error: Error): Promise<void> {
    for (const opening of [...this.#opening]) opening.cancel(error)
    for (const end of [...this.#adopted.values()]) end(error)
    await this.#connections.destroy(error)
  }

  #tellIfGone(): void {
    if (this.#adopted.size === 0 && this.#opening.size === 0) this.#onAdoptedGone?.()
  }

  #tunnelRoute({ headers, upgrade }: DispatchOptions, target: Target): Route {
    // The name in TLS is that of the Host header, as undici has it: requests with another one need another connection.
    const host = headerValue(headers, 'host')
    if (host !== undefined || upgrade) return this.#newTunnelRoute(target, hostnameOf(host ?? target.host), !upgrade)
    const known = this.#tunnelRoutes.get(target.origin)
    if (known !== undefined) return known
    const route = this.#newTunnelRoute(target, target.hostname, true)
    if (this.#tunnelRoutes.size >= REMEMBERED_ROUTES) this.#tunnelRoutes.clear()
    this.#tunnelRoutes.set(target.origin, route)
    return route
  }

  #newTunnelRoute({ origin, host, hostname, isPlainHttp }: Target, servername: string, mayHttp2: boolean): Route {
    const port = Number(new URL(origin).port) || (isPlainHttp ? 80 : 443)
    if (isPlainHttp) {
      const open: Route['open'] = (callback) => openTunnel(this.#link, { hostname, port, upgrade: null }, callback)
      return { key: origin, origin, kind: 'tunnel', isHttp2: false, open }
    }
    const http2 = mayHttp2 ? this.#connectHttp2 : null
    const connectTls = http2 ?? this.#connectTls
    const upgrade: TunnelUpgrade = (httpSocket, done) => {
      const name = net.isIP(servername) === 0 ? servername : null
      connectTls({ hostname, host, protocol: 'https:', port: '', servername: name, httpSocket }, done)
    }
    const open: Route['open'] = (callback) => openTunnel(this.#link, { hostname, port, upgrade }, callback)
    return { key: `${origin} ${servername}${http2 === null ? '' : ' h2'}`, origin, kind: 'tunnel', isHttp2: http2 !== null, open }
  }
}
