/// <reference path="./undici-deep.d.ts" />
import symbols from 'undici/lib/core/symbols.js'
import Client from 'undici/lib/dispatcher/client.js'
import { LengthChecked } from './check-length.ts'
import type { DeviceStream, SocketCallback } from './connect-device.ts'
import type { CarriedHandler, CarryingConnection, Route } from './connections.ts'
import type { DispatchOptions } from './handlers.ts'
import { IdlePlace } from './idle-connections.ts'
import type { Opening } from './opening.ts'

const kSize: typeof symbols.kSize = symbols.kSize

/** What a connection tells those who keep it. */
export interface ConnectionHost {
  /** How long an idle connection is kept. */
  readonly idleMs: number
  /** How long at most, whatever the server's `Keep-Alive` header says. */
  readonly maxIdleMs: number
  open(route: Route, taker: SocketCallback): Opening
  /** Its response is over; in a moment it is idle, or gone. */
  onFinishing(connection: Connection): void
  /** It may carry another request. */
  onIdle(connection: Connection): void
  /** It broke before it could carry this request. Returns whether another one carries it. */
  onLost(connection: Connection, options: DispatchOptions, handler: CarriedHandler): boolean
  /** It is closed, or never stood. */
  onGone(connection: Connection): void
}

/**
 * One connection, to a target through its device or to the device's own proxy: a client of undici's that carries one request at a time,
 * over HTTP/2 as well: of several on one HTTP/2 connection undici would by itself send some again when it breaks.
 */
export class Connection implements CarryingConnection {
  readonly place = new IdlePlace<Connection>()
  readonly route: Route
  readonly #host: ConnectionHost
  readonly #client: Client
  /** A socket that stands and that nobody has used yet. */
  #fresh: DeviceStream | null
  #options: DispatchOptions | null = null
  #handler: CarriedHandler | null = null
  /** Its last response is over, and undici has not looked yet whether the peer closes it. */
  #isEnding: boolean = false
  /** The request is undici's after that look. */
  #deferred: NodeJS.Immediate | null = null
  /** The request followed the last response at once, without a look at whether the peer closes. */
  #isHasty: boolean = false
  #isDispatching: boolean = false
  #mayOpen: boolean = false
  #isUp: boolean = false
  #isHttp2: boolean = false
  #idleTimer: NodeJS.Timeout | undefined

  constructor(host: ConnectionHost, route: Route, fresh: DeviceStream | null) {
    this.#host = host
    this.route = route
    this.#fresh = fresh
    this.#client = new Client(route.origin, {
      pipelining: 1,
      keepAliveTimeout: host.idleMs,
      keepAliveMaxTimeout: host.maxIdleMs,
      // The pool's own timers watch every request.
      headersTimeout: 0,
      bodyTimeout: 0,
      allowH2: route.isHttp2,
      connect: (_target, callback) => this.#connect(callback),
    })
    this.#client
      .on('connect', () => {
        this.#isUp = true
      })
      .on('disconnect', () => this.#onDown())
      .on('connectionError', () => host.onGone(this))
      .on('drain', () => this.#onDrain())
    if (fresh === null) return
    fresh.on('error', () => {}).once('close', this.#onFreshClosed)
    this.#idleTimer = setTimeout(() => this.closeIdle(), host.idleMs)
    this.#idleTimer.unref()
  }

  get key(): string {
    return this.route.key
  }

  dispatch(options: DispatchOptions, handler: CarriedHandler): void {
    clearTimeout(this.#idleTimer)
    this.#options = options
    this.#handler = handler
    this.#mayOpen = true
    handler.carriedOver?.(this)
    this.#isHasty = this.#isEnding && !this.#isHttp2 && handler.mayBeSentAgain === true
    // Who closes after a response closes right after it: only the next turn of the event loop shows that. Who may be sent again need not
    // wait for it. An immediate keeps the caller's async context.
    if (this.#isEnding && !this.#isHasty) this.#deferred = setImmediate(sendDeferred, this)
    else this.#send(options, handler)
  }

  get wasHasty(): boolean {
    return this.#isHasty
  }

  finishing(): void {
    if (!this.#isUp) return
    this.#isEnding = true
    this.#host.onFinishing(this)
  }

  lostUnused(): boolean {
    const options = this.#options
    const handler = this.#handler
    // Whoever is refused at once, or met a new socket's trouble, is not one whose used socket broke.
    if (!this.#mayOpen || this.#isDispatching || options === null || handler === null) return false
    this.#mayOpen = false
    return this.#host.onLost(this, options, handler)
  }

  /** Closes it now; only for one that carries nothing. */
  closeIdle(): void {
    void this.close()
    this.#host.onGone(this)
  }

  /** Closes it once it has carried what it carries. */
  async close(): Promise<void> {
    clearTimeout(this.#idleTimer)
    this.#fresh?.destroy()
    this.sendDeferred()
    await this.#client.close()
  }

  async destroy(error: Error): Promise<void> {
    clearTimeout(this.#idleTimer)
    this.#fresh?.destroy()
    if (this.#callOffDeferred() && this.#handler?.isWaiting !== false) this.#handler?.onResponseError?.(null, error)
    await this.#client.destroy(error)
  }

  #callOffDeferred(): boolean {
    if (this.#deferred === null) return false
    clearImmediate(this.#deferred)
    this.#deferred = null
    return true
  }

  /** Sends the request that waits for a look at whether the peer closes, if one does. */
  sendDeferred(): void {
    if (!this.#callOffDeferred()) return
    const options = this.#options
    const handler = this.#handler
    if (options !== null && handler !== null && handler.isWaiting !== false) this.#send(options, handler)
    else this.#isUp ? this.#rest() : this.#host.onGone(this)
  }

  #send(options: DispatchOptions, handler: CarriedHandler): void {
    this.#isEnding = false
    this.#isDispatching = true
    this.#client.dispatch(options, this.route.isHttp2 ? new LengthChecked(handler, options.method) : handler)
    this.#isDispatching = false
    // undici has refused the request as such.
    if (this.#client[kSize] === 0) this.#isUp ? this.#rest() : this.#host.onGone(this)
  }

  #rest(): void {
    this.#isEnding = false
    this.#options = null
    this.#handler = null
    this.#host.onIdle(this)
    // undici keeps an idle HTTP/2 session for ever; HTTP/1 it closes itself.
    if (!this.#isHttp2) return
    clearTimeout(this.#idleTimer)
    this.#idleTimer = setTimeout(() => this.closeIdle(), this.#host.idleMs)
    this.#idleTimer.unref()
  }

  #connect(callback: SocketCallback): void {
    const fresh = this.#fresh
    const mayOpen = this.#mayOpen && this.#handler?.isWaiting !== false
    this.#fresh = null
    this.#mayOpen = false
    if (fresh !== null && !fresh.destroyed) {
      fresh.off('close', this.#onFreshClosed)
      // undici does not go on when it is called back at once.
      queueMicrotask(() => this.#taken(fresh, callback))
    } else if (mayOpen) {
      const opening = this.#host.open(this.route, (error, socket) => {
        if (socket === null) callback(error, null)
        else this.#taken(socket, callback)
      })
      this.#handler?.onConnecting?.(opening)
    } else {
      // After an abort undici opens a new connection for the request that was aborted, and only then finds that nobody wants it:
      // on a mobile link that is a whole CONNECT and TLS handshake for nothing.
      queueMicrotask(() => callback(new Error('nobody waits for this connection'), null))
    }
  }

  #taken(socket: DeviceStream, callback: SocketCallback): void {
    this.#isHttp2 = 'alpnProtocol' in socket && socket.alpnProtocol === 'h2'
    callback(null, socket)
  }

  readonly #onFreshClosed = (): void => {
    clearTimeout(this.#idleTimer)
    this.#host.onGone(this)
  }

  #onDown(): void {
    clearTimeout(this.#idleTimer)
    this.#isUp = false
    this.#isEnding = false
    // With a request left undici connects anew, or finds out that it was aborted.
    if (this.#client[kSize] === 0 && this.#deferred === null) this.#host.onGone(this)
  }

  #onDrain(): void {
    if (!this.#isUp || this.#client[kSize] > 0 || this.#deferred !== null) return
    this.#rest()
  }
}

const sendDeferred = (connection: Connection): void => connection.sendDeferred()
