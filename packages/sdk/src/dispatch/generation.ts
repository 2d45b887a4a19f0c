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
  readonly #upgraded = new Set<Duplex>()
  #onUpgradedGone: (() => void) | null = null
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

  /** An upgraded socket (WebSocket) has left undici's hands; it still belongs to this generation. */
  adopt(socket: Duplex): void {
    this.#upgraded.add(socket)
    socket.once('close', () => {
      this.#upgraded.delete(socket)
      if (this.#upgraded.size === 0) this.#onUpgradedGone?.()
    })
  }

  /** Idle sockets close at once, requests in flight finish; resolves when all is closed. */
  async close(): Promise<void> {
    const upgradedGone = new Promise<void>((resolve) => {
      this.#onUpgradedGone = resolve
      if (this.#upgraded.size === 0) resolve()
    })
    await Promise.all([this.#tunnels.close(), this.#forwards.close(), upgradedGone])
  }

  /** Everything ends now; requests in flight get this error. */
  async destroy(error: Error): Promise<void> {
    for (const socket of this.#upgraded) socket.destroy()
    await Promise.all([this.#tunnels.destroy(error), this.#forwards.destroy(error)])
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
