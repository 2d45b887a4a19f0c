import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2'
import type { Socket } from 'node:net'
import { type TunnelOffer, tunnelIdleFactor } from '@mobilepool/sdk/contract'
import { ProxyError, type ProxyTarget } from '@mobilepool/sdk/proxy-server'
import { FlowWindow, guardSession, sessionOptions, type TunnelStream } from '@mobilepool/sdk/tunnel'
import { openConnection, whenAnswered } from './open-connection.ts'

/** One connection that an agent has dialled. */
export interface SessionParts {
  offer: TunnelOffer
  socket: Socket
  /** Where the connection came from. */
  address: string
  /** The key that it came with. */
  keyId: string | null
  /** Between two pings of a session in use, and for the answer to each, ms; an idle one is pinged less often. */
  pingMs: number
  now: () => number
  /** Called when the agent has answered a ping. */
  onAlive: (session: TunnelSession) => void
  /** Called once, when the session is over, before its streams are. */
  onEnd: (session: TunnelSession, reason: string) => void
}

/** The hub's end of one session: it opens streams, and finds out when the other end is gone. */
export class TunnelSession {
  readonly offer: TunnelOffer
  readonly address: string
  readonly keyId: string | null
  readonly since: number
  /** As the last ping found it. */
  rttMs: number | null = null
  readonly #socket: Socket
  readonly #http2: ClientHttp2Session
  readonly #window: FlowWindow
  readonly #end: (reason: string) => void
  readonly #onAlive: (session: TunnelSession) => void
  readonly #pingMs: number
  #pinger: NodeJS.Timeout | null = null
  #deadline: NodeJS.Timeout | null = null
  #isOver: boolean = false

  /** The 101 must have been written: on TLS, HTTP/2 over a write under way aborts the process (reference: tunnel.md, pitfall 1). */
  constructor({ offer, socket, address, keyId, pingMs, now, onAlive, onEnd }: SessionParts) {
    this.offer = offer
    this.address = address
    this.keyId = keyId
    this.since = now()
    this.#pingMs = pingMs
    this.#socket = socket
    this.#onAlive = onAlive
    this.#http2 = connect('http://agent', { createConnection: () => socket, ...sessionOptions() })
    this.#window = new FlowWindow(this.#http2)
    this.#end = guardSession(this.#http2, socket, (reason) => {
      this.#isOver = true
      if (this.#pinger) clearTimeout(this.#pinger)
      if (this.#deadline) clearTimeout(this.#deadline)
      onEnd(this, reason)
    })
    this.#http2.unref()
    this.#ping()
  }

  /** How many connections go through it now. */
  get streams(): number {
    return this.#window.streams
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Opens a connection by the device. Throws `ProxyError` with the agent's reason, or `offline` when the session is lost meanwhile. */
  open(target: ProxyTarget, signal: AbortSignal): Promise<TunnelStream> {
    // Idle for a while: whether the other end is still there is not known.
    if (this.#window.streams === 0) this.#ping()
    let stream: ClientHttp2Stream
    try {
      stream = openConnection(this.#http2, target)
    } catch (cause) {
      throw new ProxyError('offline', 'The tunnel to the device was lost.', { cause })
    }
    this.#window.opened()
    stream.once('close', () => this.#window.closed())
    return whenAnswered(stream, signal)
  }

  /** A stream for orders and reports. Null: the session is over. */
  openControl(): ClientHttp2Stream | null {
    try {
      return this.#http2.request({ ':method': 'POST', ':path': '/control' }, { endStream: false })
    } catch {
      return null
    }
  }

  /** Ends it and everything that goes through it. */
  end(reason: string): void {
    this.#end(reason)
  }

  #ping(): void {
    if (this.#isOver || this.#deadline) return
    if (this.#pinger) clearTimeout(this.#pinger)
    this.#await()
    const answered = (error: Error | null, ms: number): void => {
      if (this.#isOver) return
      if (this.#deadline) clearTimeout(this.#deadline)
      this.#deadline = null
      if (error) {
        this.#end(error.message)
        return
      }
      this.rttMs = Math.round(ms)
      this.#onAlive(this)
      const isIdle = this.#window.streams === 0
      this.#pinger = setTimeout(() => this.#ping(), this.#pingMs * (isIdle ? tunnelIdleFactor : 1))
    }
    try {
      this.#http2.ping(answered)
    } catch (error) {
      this.#end(error instanceof Error ? error.message : 'closed')
    }
  }

  /** Ends the session when nothing comes. An answer can be stuck behind an upload; what does come shows that the link stands. */
  #await(): void {
    const { bytesRead } = this.#socket
    this.#deadline = setTimeout(() => {
      if (this.#socket.bytesRead === bytesRead) this.#end('the device does not answer')
      else this.#await()
    }, this.#pingMs)
  }
}
