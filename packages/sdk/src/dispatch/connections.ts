import type { Duplex } from 'node:stream'
import type { DeviceStream, PendingConnection, SocketCallback } from './connect-device.ts'
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

/** The connection that carries a request, as its handler knows it. */
export interface CarryingConnection {
  /** The request was written right after the response before it, when nobody could know yet whether the peer closes after that. */
  readonly wasHasty: boolean
  /** To be called when the response is over, before anybody else hears of that. */
  finishing(): void
  /**
   * To be called with an error that comes before the request was written. True: it was that of a socket that had served others and broke
   * meanwhile, and the request goes on over another one.
   */
  lostUnused(): boolean
}

/** A handler that learns of the connection made for it. */
export interface CarriedHandler extends DispatchHandler {
  /** Told first: to whom its socket belongs if it is upgraded. */
  carriedBy?(keeper: SocketKeeper): void
  /** Breaks its connection before a byte of the answer has come, it may be sent once more over another one, whatever it does there. */
  readonly mayBeSentAgain?: boolean
  /** False: it has given up, and no connection is to be made for it. */
  readonly isWaiting?: boolean
  /** Told which connection carries it. */
  carriedOver?(connection: CarryingConnection): void
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

/**
 * The connections of one generation: those that carry requests, those that are idle, those that are being made.
 *
 * When a response is over, undici waits for a turn of the event loop before it uses the connection again, to see whether the peer
 * closes it. Who sends the next request at once, as everybody does who awaits one after the other, gets the connection all the same:
 * another one would cost a CONNECT and a TLS handshake on a mobile link. A request that may be sent again goes out without that look, and
 * over another connection when the peer did close; any other waits for it.
 */
export class Connections implements ConnectionHost {
  readonly idleMs: number
  readonly maxIdleMs: number
  readonly #settings: ConnectionsSettings
  readonly #all = new Set<Connection>()
  readonly #idle: IdleConnections<Connection>
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
    const connection = this.#idle.take(route.key) ?? this.#add(new Connection(this, route, null))
    connection.dispatch(options, handler)
  }

  /** Whether a request could go out at once. */
  hasIdle(key: string): boolean {
    return this.#idle.has(key)
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
    await Promise.all([...this.#all].map((connection) => connection.close()))
  }

  /** Everything ends now; requests in flight get this error. */
  async destroy(error: Error): Promise<void> {
    this.#isClosing = true
    clearTimeout(this.#trimTimer)
    for (const opening of [...this.#openings]) opening.cancel(error)
    await Promise.all([...this.#all].map((connection) => connection.destroy(error)))
  }

  // ---- for the connections ----

  open(route: Route, taker: SocketCallback): Opening {
    return this.#begin(route, new Opening(taker))
  }

  onFinishing(connection: Connection): void {
    if (!this.#isClosing && this.#settings.maxIdlePerDevice > 0) this.#idle.put(connection)
  }

  onIdle(connection: Connection): void {
    if (this.#isClosing) return
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
  }

  onLost({ route }: Connection, options: DispatchOptions, handler: CarriedHandler): boolean {
    if (this.#isClosing) return false
    this.#add(new Connection(this, route, null)).dispatch(options, handler)
    return true
  }

  // ---- inside ----

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

  #keep(route: Route, socket: DeviceStream): void {
    if (this.#isClosing) socket.destroy()
    else this.onIdle(this.#add(new Connection(this, route, socket)))
  }
}
