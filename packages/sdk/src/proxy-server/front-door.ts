import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ClientConnection } from './connections.ts'
import { endGently } from './reply.ts'
import type { ProxyService } from './service.ts'
import { serveSocks } from './socks/session.ts'
import type { TlsFront } from './tls-front.ts'

/** A client says by its first byte what it speaks. */
const SOCKS5 = 0x05
const SOCKS4 = 0x04
const TLS_HANDSHAKE = 0x16

/** "Rejected" of SOCKS4. */
const SOCKS4_REJECTED = Buffer.from([0, 0x5b, 0, 0, 0, 0, 0, 0])
/** A TLS alert: fatal, handshake_failure. A client that meant another port hears it as such. */
const TLS_ALERT = Buffer.from([0x15, 3, 1, 0, 2, 2, 40])

/** Receives connections and hands each to what its client speaks: HTTP, SOCKS5, or TLS with one of these inside. */
export class FrontDoor<User> {
  readonly #service: ProxyService<User>
  readonly #tls: TlsFront | null
  readonly #limits: { readonly handshakeTimeoutMs: number; readonly idleTimeoutMs: number }
  readonly #serveHttp: (stream: Duplex) => void

  /** `serveHttp` takes a connection whose first bytes are still to be read. */
  constructor(
    service: ProxyService<User>,
    parts: {
      tls: TlsFront | null
      limits: { readonly handshakeTimeoutMs: number; readonly idleTimeoutMs: number }
      serveHttp: (stream: Duplex) => void
    },
  ) {
    this.#service = service
    this.#tls = parts.tls
    this.#limits = parts.limits
    this.#serveHttp = parts.serveHttp
  }

  /** Takes a new connection. From here to the end of its first request it has `handshakeTimeoutMs`. */
  accept(socket: Socket): void {
    const connection = this.#service.connections.add(socket)
    let speaksHttp = false
    const timer = setTimeout(() => {
      if (speaksHttp) this.#service.onLate(connection)
      else connection.stream.destroy()
    }, this.#limits.handshakeTimeoutMs)
    connection.onGreeted = () => clearTimeout(timer)
    this.#greet(connection, socket, () => {
      speaksHttp = true
    })
  }

  #greet(connection: ClientConnection<User>, socket: Socket, onHttp: () => void): void {
    const { stream } = connection
    onFirstByte(stream, (byte) => {
      if (byte === TLS_HANDSHAKE && !connection.isTls) {
        if (!this.#tls) refuseWith(stream, TLS_ALERT)
        else {
          const encrypted = this.#tls.accept(socket, () => this.#greet(connection, socket, onHttp))
          this.#service.connections.encrypt(connection, encrypted)
        }
      } else if (this.#tls?.isRequired && !connection.isTls) {
        this.#service.onPlain(stream, byte === SOCKS5)
      } else if (byte === SOCKS5) {
        void serveSocks(this.#service, connection, this.#limits.idleTimeoutMs)
      } else if (byte === SOCKS4) {
        refuseWith(stream, SOCKS4_REJECTED)
      } else {
        onHttp()
        this.#serveHttp(stream)
      }
    })
  }
}

/** Looks at the first byte of a stream and leaves it there. A stream that ends without one is destroyed. */
function onFirstByte(stream: Duplex, use: (byte: number) => void): void {
  const look = (): void => {
    const bytes: Buffer | null = stream.read()
    if (bytes === null) return
    stop()
    stream.unshift(bytes)
    use(bytes[0] ?? 0)
  }
  const onEnd = (): void => {
    stop()
    stream.destroy()
  }
  const stop = (): void => {
    stream.off('readable', look)
    stream.off('end', onEnd)
  }
  stream.on('readable', look)
  stream.on('end', onEnd)
}

function refuseWith(stream: Duplex, bytes: Buffer): void {
  stream.write(bytes)
  endGently(stream)
}
