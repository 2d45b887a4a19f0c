import { AsyncResource } from 'node:async_hooks'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { PendingConnection, SocketCallback } from './connect-device.ts'
import type { ConnectKind } from './connect-times.ts'
import { Connection, type ConnectionHost } from './connection.ts'
import type { DispatchHandler, DispatchOptions } from './handlers.ts'
import { IdleConnections } from './idle-connections.ts'
import { Opening, unwantedError } from './opening.ts'

/** Where a connection leads, and how it is made. */
export interface Route {
  /** Requests with the same key may share a connection, one after another. */
  readonly key: string
  /** What undici is to take the connection for. */
  readonly origin: string
  readonly kind: 'tunnel' | 'forward'
  readonly isHttp2: boolean
  open(callback: SocketCallback): PendingConnection
}

/** Who keeps sockets that have left undici's hands. */
export interface SocketKeeper {
  /** It belongs to the generation from now on; `end` ends it when the generation does. */
  adopt(socket: Duplex, end: (error: Error) => void): void
}

/** A handler that learns of the connection made for it. */
export interface CarriedHandler extends DispatchHandler {
  /** Told first: to whom its socket belongs if it is upgraded. */
  carriedBy?(keeper: SocketKeeper): void
  /** False: it has given up, and no connection is to be made for it. */
  readonly isWaiting?: boolean
  /** Told which connection carries it, so that it can say when its response is over, before anybody else hears of that. */
  carriedOver?(connection: { finishing(): void }): void
  /** Told when there is no idle connection and one is being made. */
  onConnecting?(opening: Opening): void
}

export interface ConnectionsSettings {
  readonly idleMs: number
  readonly maxIdleMs: number
  readonly maxIdlePerDevice: number
  /** A connection stands, so long after it was begun. */
  onConnected(kind: ConnectKind, afterMs: number): void
}

/** Idle connections beyond those to be kept are closed after this time: when many requests end together, more are about to begin. */
const SURPLUS_MS = 1_000

/** A request for which a connection is about to become idle. */
interface Successor {
  readonly options: DispatchOptions
  readonly handler: CarriedHandler
  /** Its caller's async context (AsyncLocalStorage, tracing). */
  readonly context: AsyncResource
}

/**
 * The connections of one generation: those that carry requests, those that are idle, those that are being made.
 *
 * When a response is over, undici waits for a turn of the event loop before it uses the connection again, to see whether the peer
 * closes it. Who sends the next request at once, as everybody does who awaits one after the other, waits for that turn: it would
 * cost a connection more each time, on a mobile link a CONNECT and a TLS handshake.
 */
export class Connections implements ConnectionHost {
  readonly idleMs: number
  readonly maxIdleMs: number
  readonly #settings: ConnectionsSettings
  readonly #all = new Set<Connection>()
  readonly #idle: IdleConnections<Connection>
  /** Their response is over, and they are not idle yet. */
  readonly #finishing = new IdleConnections<Connection>(Number.POSITIVE_INFINITY)
  readonly #successors = new Map<Connection, Successor>()
  #trimTimer: NodeJS.Timeout | undefined
  readonly #openings = new Set<Opening>()
  #isClosing: boolean = false

  constructor(settings: ConnectionsSettings) {
    this.#settings = settings
    this.idleMs = settings.idleMs
    this.maxIdleMs = settings.maxIdleMs
    this.#idle = new IdleConnections(settings.maxIdlePerDevice)
  }

  /** Sends a request over an idle connection, or over a new one. */
  dispatch(route: Route, options: DispatchOptions, handler: CarriedHandler): void {
    const idle = this.#idle.take(route.key)
    const finishing = idle === undefined ? this.#finishing.take(route.key) : undefined
    if (finishing !== undefined) this.#follow(finishing, { options, handler, context: new AsyncResource('MOBILEPOOL_CONNECTION') })
    else (idle ?? this.#add(new Connection(this, route, null))).dispatch(options, handler)
  }

  /** Whether a request could go out at once. */
  hasIdle(key: string): boolean {
    return this.#idle.has(key) || this.#finishing.has(key)
  }

  /** Makes a connection that no request waits for yet; it will be idle once it stands. */
  prepare(route: Route, onEnd: (error: Error | null) => void): Opening {
    return this.#begin(route, new Opening(null, onEnd))
  }

  /** Idle connections close at once, those in use when their request is over; resolves when all are closed. */
  async close(): Promise<void> {
    this.#isClosing = true
    clearTimeout(this.#trimTimer)
    for (const opening of [...this.#openings]) if (opening.isDetached) opening.cancel(unwantedError())
    // undici waits for its turn itself, and closes afterwards.
    for (const connection of [...this.#successors.keys()]) this.#sendSuccessor(connection, connection)
    await Promise.all([...this.#all].map((connection) => connection.close()))
  }

  /** Everything ends now; requests in flight get this error. */
  async destroy(error: Error): Promise<void> {
    this.#isClosing = true
    clearTimeout(this.#trimTimer)
    for (const opening of [...this.#openings]) opening.cancel(error)
    for (const { handler } of this.#successors.values()) if (handler.isWaiting !== false) handler.onResponseError?.(null, error)
    this.#successors.clear()
    await Promise.all([...this.#all].map((connection) => connection.destroy(error)))
  }

  // ---- for the connections ----

  open(route: Route, taker: SocketCallback): Opening {
    return this.#begin(route, new Opening(taker))
  }

  onFinishing(connection: Connection): void {
    if (!this.#isClosing && this.#settings.maxIdlePerDevice > 0) this.#finishing.put(connection)
  }

  onIdle(connection: Connection): void {
    this.#finishing.delete(connection)
    if (this.#sendSuccessor(connection, connection) || this.#isClosing) return
    if (this.#settings.maxIdlePerDevice === 0) {
      connection.closeIdle()
      return
    }
    if (this.#idle.put(connection) || this.#trimTimer !== undefined) return
    this.#trimTimer = setTimeout(() => this.#trim(), SURPLUS_MS)
    this.#trimTimer.unref()
  }

  onGone(connection: Connection): void {
    this.#all.delete(connection)
    this.#idle.delete(connection)
    this.#finishing.delete(connection)
    this.#sendSuccessor(connection, null)
  }

  // ---- inside ----

  #follow(connection: Connection, successor: Successor): void {
    this.#successors.set(connection, successor)
    // By the second turn undici has looked; a connection that is neither idle nor gone then is being closed.
    setImmediate(() => setImmediate(() => this.#sendSuccessor(connection, null)))
  }

  /** Sends what waits for the connection over this one, or over a new one. False: nothing did, or nobody wants it any more. */
  #sendSuccessor(connection: Connection, over: Connection | null): boolean {
    const successor = this.#successors.get(connection)
    if (successor === undefined || !this.#successors.delete(connection) || successor.handler.isWaiting === false) return false
    const carrier = over ?? this.#add(new Connection(this, connection.route, null))
    successor.context.runInAsyncScope(() => carrier.dispatch(successor.options, successor.handler))
    return true
  }

  #trim(): void {
    this.#trimTimer = undefined
    for (const connection of this.#idle.takeSurplus()) connection.closeIdle()
  }

  #add(connection: Connection): Connection {
    this.#all.add(connection)
    return connection
  }

  #begin(route: Route, opening: Opening): Opening {
    const begunAt = performance.now()
    this.#openings.add(opening)
    const pending = route.open((error, socket) => {
      this.#openings.delete(opening)
      if (socket !== null) {
        this.#settings.onConnected(route.kind, performance.now() - begunAt)
        if (opening.isDetached) this.#keep(route, socket)
      }
      opening.end(error, socket)
    })
    opening.begun(pending)
    return opening
  }

  #keep(route: Route, socket: Socket): void {
    if (this.#isClosing) socket.destroy()
    else this.onIdle(this.#add(new Connection(this, route, socket)))
  }
}
