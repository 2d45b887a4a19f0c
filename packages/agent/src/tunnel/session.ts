import { type IncomingHttpHeaders, performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'
import { tunnelIdleFactor } from '@mobilepool/sdk/contract'
import { FlowWindow, guardSession, sessionOptions } from '@mobilepool/sdk/tunnel'
import type { Dialled } from './dial.ts'

/** A session may be silent this much longer than the hub's pause between two pings: the link's delays. */
const GRACE = 2

/** What a session hands on. */
export interface SessionUse {
  /** A connection that the hub asks for. */
  onConnect(stream: ServerHttp2Stream, authority: string): void
  /** The stream for orders and reports. */
  onControl(stream: ServerHttp2Stream): void
}

/** The agent's end of one session: it serves what the hub opens, and finds out by the pings that stay away when the hub is gone. */
export class AgentSession {
  /** Resolves with the reason when the session is over. */
  readonly ended: Promise<string>
  readonly #socket: Duplex & { readonly bytesRead?: number }
  readonly #http2: ServerHttp2Session
  readonly #window: FlowWindow
  readonly #end: (reason: string) => void
  readonly #pingMs: number
  readonly #timer: NodeJS.Timeout
  #silentSince = performance.now()
  #bytesRead: number | undefined = 0
  /** A ping of ours was sent since something came. */
  #hasAsked: boolean = false

  constructor({ socket, pingMs }: Dialled, use: SessionUse) {
    this.#pingMs = pingMs
    this.#http2 = performServerHandshake(socket, sessionOptions())
    this.#window = new FlowWindow(this.#http2)
    const { promise, resolve } = withResolvers<string>()
    this.ended = promise
    this.#end = guardSession(this.#http2, socket, (reason) => {
      clearInterval(this.#timer)
      resolve(reason)
    })
    this.#http2.on('stream', (stream, headers) => this.#take(stream, headers, use))
    this.#http2.on('ping', () => this.#hear())
    this.#timer = setInterval(() => this.#look(), Math.ceil(pingMs / 2))
    this.#socket = socket
  }

  /** Connections that go through it. */
  get streams(): number {
    return this.#window.streams
  }

  /**
   * Says something to the hub, once in a silence. Where the way there is another by now, as after a carrier's NAT has forgotten it, the
   * hub resets what it does not know, and that is known in a round trip instead of when its pings have stayed away for long enough.
   */
  check(): void {
    if (this.#hasAsked) return
    this.#hasAsked = true
    try {
      this.#http2.ping(() => {})
    } catch {
      // It is over already.
    }
  }

  end(reason: string): void {
    this.#end(reason)
  }

  #take(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, use: SessionUse): void {
    this.#hear()
    // A reset of a stream that nobody listens to would end the process.
    stream.on('error', () => {})
    const { ':method': method, ':path': path, ':authority': authority } = headers
    if (method === 'CONNECT' && typeof authority === 'string') {
      this.#window.opened()
      stream.once('close', () => this.#window.closed())
      use.onConnect(stream, authority)
    } else if (method === 'POST' && path === '/control') use.onControl(stream)
    else {
      stream.respond({ ':status': 404 }, { endStream: true })
      stream.resume()
    }
  }

  #hear(): void {
    this.#silentSince = performance.now()
    this.#hasAsked = false
  }

  #look(): void {
    // A ping can be stuck behind a download; whatever comes shows that the link stands.
    if (this.#socket.bytesRead !== this.#bytesRead) this.#hear()
    this.#bytesRead = this.#socket.bytesRead
    const pauseMs = this.#pingMs * (this.#window.streams === 0 ? tunnelIdleFactor : 1)
    const silentMs = performance.now() - this.#silentSince
    if (silentMs > pauseMs + this.#pingMs * GRACE) this.#end('the hub does not answer')
    else if (silentMs > pauseMs) this.check()
  }
}

/** `Promise.withResolvers` is not in Node 20. */
function withResolvers<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>((take) => {
    resolve = take
  })
  return { promise, resolve }
}
