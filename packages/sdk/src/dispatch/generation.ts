/// <reference path="./undici-deep.d.ts" />
import net from 'node:net'
import type { Duplex } from 'node:stream'
import type { ConnectionOptions } from 'node:tls'
import buildConnector from 'undici/lib/core/connect.js'
import Agent from 'undici/lib/dispatcher/agent.js'
import Pool from 'undici/lib/dispatcher/pool.js'
import { connectForward, type DeviceLink, type PendingConnection, type SocketCallback } from './connect-device.ts'
import type { DispatchHandler, DispatchOptions } from './handlers.ts'
import { openTunnel, type TunnelUpgrade } from './open-tunnel.ts'

export interface GenerationSettings {
  /** TLS towards targets. */
  readonly requestTls: ConnectionOptions
  /** How long an idle socket is kept. */
  readonly idleMs: number
  /** How long at most, whatever the server's `Keep-Alive` header says. */
  readonly maxIdleMs: number
}

/** A handler that learns who carries it, and of the connection made for it, so that an abort can reach it there. */
export interface CarriedHandler extends DispatchHandler {
  /** Told before anything else. Whoever is told answers with one `noLongerWaits`, when it has its connection or gives up. */
  carriedBy?(generation: Generation): void
  onConnecting?(pending: PendingConnection): void
}

/**
 * One generation of a device's connections: all that was opened since its last rotation. A rotation throws the whole of it away,
 * TLS sessions included: they live in the connector, and resuming one would link the new exit IP to the old.
 */
export class Generation {
  readonly #link: DeviceLink
  readonly #tunnels: Agent
  readonly #forwards: Pool
  /** Sockets that are in nobody's hands here but belong to this generation, and how each is ended with an error. */
  readonly #adopted = new Map<Duplex, (error: Error) => void>()
  /** Of those, the ones that nobody uses now. */
  readonly #resting = new Set<Duplex>()
  /** Connections being made that will be adopted. */
  readonly #opening = new Set<PendingConnection>()
  #isClosing: boolean = false
  #onAdoptedGone: (() => void) | null = null
  /** Whom undici is dispatching for right now: it calls the connector within `dispatch()`. */
  #current: CarriedHandler | null = null
  /** Requests that have no connection yet. */
  #waiting = 0

  constructor(link: DeviceLink, settings: GenerationSettings) {
    this.#link = link
    const { requestTls, idleMs, maxIdleMs } = settings
    const connectTls = buildConnector({ ...requestTls, allowH2: false, timeout: 0 })
    // One request a connection at a time, and as many connections as the pool's permits allow: undici then never queues.
    const shared = { pipelining: 1, keepAliveTimeout: idleMs, keepAliveMaxTimeout: maxIdleMs, allowH2: false }

    this.#tunnels = new Agent({
      ...shared,
      connect: ({ hostname, host, protocol, port, servername }, callback) => {
        if (this.#refuseIdly(callback)) return
        const isSecure = protocol === 'https:'
        const upgrade: TunnelUpgrade = (httpSocket, done) => {
          connectTls({ hostname, host, protocol, port, servername, httpSocket }, done)
        }
        const target = { hostname: bare(hostname), port: Number(port) || (isSecure ? 443 : 80), upgrade: isSecure ? upgrade : null }
        this.#connecting(openTunnel(link, target, callback))
      },
    })
    // Always an http: origin: TLS towards an https:// proxy is the connector's business, and undici would take the target's name for it.
    this.#forwards = new Pool(
      `http://${net.isIPv6(link.endpoint.hostname) ? `[${link.endpoint.hostname}]` : link.endpoint.hostname}:${link.endpoint.port}`,
      {
        ...shared,
        connect: (_options, callback) => {
          if (!this.#refuseIdly(callback)) this.#connecting(connectForward(link, callback))
        },
      },
    )
  }

  /** Sends a request through a tunnel to its origin. */
  tunnel(options: DispatchOptions, handler: CarriedHandler): void {
    this.#dispatch(this.#tunnels, options, handler)
  }

  /** Sends a request in absolute form; its path and headers are ready for that. */
  forward(options: DispatchOptions, handler: CarriedHandler): void {
    const { hostname, port } = this.#link.endpoint
    this.#dispatch(this.#forwards, { ...options, origin: `http://${hostname}:${port}` }, handler)
  }

  /** One of those told by `carriedBy` has its connection, or gave up. */
  noLongerWaits(): void {
    this.#waiting--
  }

  /**
   * Opens a connection for bytes that are not a request's; it is adopted. `target` null: to the device's own proxy.
   * The callback is never called before this returns.
   */
  connect(
    target: { readonly hostname: string; readonly port: number; readonly upgrade?: TunnelUpgrade } | null,
    callback: SocketCallback,
  ): PendingConnection {
    const done: SocketCallback = (error, socket) => {
      this.#opening.delete(pending)
      if (socket !== null) this.adopt(socket, (reason) => socket.destroy(reason))
      callback(error, socket)
      this.#tellIfGone()
    }
    const pending =
      target === null ? connectForward(this.#link, done) : openTunnel(this.#link, { ...target, upgrade: target.upgrade ?? null }, done)
    this.#opening.add(pending)
    return pending
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
    this.#tellIfGone()
    await Promise.all([this.#tunnels.close(), this.#forwards.close(), adoptedGone])
  }

  /** Everything ends now; requests in flight get this error. */
  async destroy(error: Error): Promise<void> {
    for (const pending of [...this.#opening]) pending.cancel(error)
    for (const end of [...this.#adopted.values()]) end(error)
    await Promise.all([this.#tunnels.destroy(error), this.#forwards.destroy(error)])
  }

  #tellIfGone(): void {
    if (this.#adopted.size === 0 && this.#opening.size === 0) this.#onAdoptedGone?.()
  }

  #dispatch(dispatcher: Agent | Pool, options: DispatchOptions, handler: CarriedHandler): void {
    const outer = this.#current
    this.#current = handler
    if (handler.carriedBy !== undefined) {
      this.#waiting++
      handler.carriedBy(this)
    }
    try {
      dispatcher.dispatch(options, handler)
    } finally {
      this.#current = outer
    }
  }

  /**
   * After an abort undici opens a new connection for the request that was aborted, and only then finds that nobody wants it:
   * on a mobile link that is a whole CONNECT and TLS handshake for nothing.
   */
  #refuseIdly(callback: SocketCallback): boolean {
    const isNeeded = this.#current !== null || this.#waiting > 0
    if (!isNeeded) queueMicrotask(() => callback(new Error('nobody waits for this connection'), null))
    return !isNeeded
  }

  #connecting(pending: PendingConnection): void {
    this.#current?.onConnecting?.(pending)
  }
}

const bare = (hostname: string): string => hostname.replace(/^\[|\]$/g, '')
