import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { ignore } from './abort.ts'
import { addressBlock } from './address-block.ts'
import type { Exchange } from './exchange.ts'
import type { ReplyCode } from './statuses.ts'

/** A connection that has brought no good request after this long gives way when there is no room. */
const PATIENCE_MS = 1_000

/** One client's connection. */
export interface ClientConnection<User> {
  readonly address: string
  /** What its client holds of the address space. */
  readonly block: string
  /** The stream that requests come on: the socket, or the TLS inside. */
  stream: Duplex
  isTls: boolean
  /** Why it is one too many; null: it is not. */
  readonly surplus: Extract<ReplyCode, 'too_many_connections' | 'address_limit'> | null
  readonly openedAt: number
  /** What is under way on it. */
  readonly exchanges: Set<Exchange<User>>
  /** Plain requests that have no whole answer yet. */
  unanswered: number
  /** Settled when the last plain request so far has its whole answer. */
  answered: Promise<void>
  /** It ends with the answer that is being given: what else comes on it is not looked at. */
  isEnding: boolean
  /** Calls off the end of a connection that is slow to make its first request. */
  onGreeted: () => void
}

/** The clients' connections, and what is under way on each of them. */
export class ClientConnections<User> {
  readonly #all = new Map<Duplex, ClientConnection<User>>()
  /** Those that are encrypted, by the stream inside. */
  readonly #streams = new WeakMap<Duplex, ClientConnection<User>>()
  readonly #perAddress = new Map<string, number>()
  /** Connections by address that have brought no good request yet, the oldest first. */
  readonly #unproven = new Map<string, Set<ClientConnection<User>>>()
  readonly #limits: { readonly maxConnections: number; readonly maxConnectionsPerAddress: number }
  readonly #onLost: (exchange: Exchange<User>, stream: Duplex) => void
  readonly #now: () => number

  /** `onLost` is called for everything that is under way on a connection when it closes. */
  constructor(
    limits: { readonly maxConnections: number; readonly maxConnectionsPerAddress: number },
    onLost: (exchange: Exchange<User>, stream: Duplex) => void,
    now: () => number = () => performance.now(),
  ) {
    this.#limits = limits
    this.#onLost = onLost
    this.#now = now
  }

  get size(): number {
    return this.#all.size
  }

  /** Follows a connection until it closes. */
  add(socket: Socket): ClientConnection<User> {
    const address = socket.remoteAddress ?? ''
    const block = addressBlock(address)
    const fromThere = (this.#perAddress.get(block) ?? 0) + 1
    const surplus =
      fromThere > this.#limits.maxConnectionsPerAddress
        ? 'address_limit'
        : this.#all.size >= this.#limits.maxConnections && !this.#makeRoom()
          ? 'too_many_connections'
          : null
    const connection: ClientConnection<User> = {
      address,
      block,
      stream: socket,
      isTls: false,
      surplus,
      openedAt: this.#now(),
      exchanges: new Set(),
      unanswered: 0,
      answered: Promise.resolve(),
      isEnding: false,
      onGreeted: ignore,
    }
    this.#all.set(socket, connection)
    this.#perAddress.set(block, fromThere)
    const unproven = this.#unproven.get(block)
    if (unproven) unproven.add(connection)
    else this.#unproven.set(block, new Set([connection]))
    socket.on('error', ignore)
    socket.once('close', () => {
      const left = (this.#perAddress.get(block) ?? 1) - 1
      if (left === 0) this.#perAddress.delete(block)
      else this.#perAddress.set(block, left)
      this.#remove(connection)
      this.#all.delete(socket)
    })
    return connection
  }

  /** From now on the connection's requests come on another stream, the TLS inside its socket. */
  encrypt(connection: ClientConnection<User>, stream: Duplex): void {
    connection.isTls = true
    connection.stream = stream
    this.#streams.set(stream, connection)
    stream.on('error', ignore)
    stream.once('close', () => this.#remove(connection))
  }

  /** The connection that a stream belongs to; undefined when it has closed. */
  of(stream: Duplex): ClientConnection<User> | undefined {
    return this.#all.get(stream) ?? this.#streams.get(stream)
  }

  /** Notes that a connection has brought a good request, and is not asked to give way any more. */
  prove(connection: ClientConnection<User>): void {
    const unproven = this.#unproven.get(connection.block)
    if (unproven?.delete(connection) && unproven.size === 0) this.#unproven.delete(connection.block)
  }

  /** Notes a plain request; the promise settles when those before it on its connection have their whole answers. */
  expectAnswer(connection: ClientConnection<User>, res: ServerResponse): Promise<void> {
    const before = connection.answered
    connection.unanswered += 1
    connection.answered = new Promise((resolve) => {
      res.once('close', () => {
        connection.unanswered -= 1
        resolve()
      })
    })
    return before
  }

  attach(exchange: Exchange<User>, connection: ClientConnection<User>): void {
    if (connection.stream.destroyed) this.#onLost(exchange, connection.stream)
    else connection.exchanges.add(exchange)
  }

  /** Closes connections that have nothing under way. */
  closeIdle(): void {
    for (const connection of this.#all.values()) {
      if (connection.exchanges.size === 0 && connection.unanswered === 0) connection.stream.destroy()
    }
  }

  destroyAll(): void {
    for (const [socket, connection] of this.#all) {
      connection.stream.destroy()
      socket.destroy()
    }
  }

  /** Drops the connection that has longest owed a good request, of the address with most of such; false when there is none. */
  #makeRoom(): boolean {
    let most: Set<ClientConnection<User>> | null = null
    for (const unproven of this.#unproven.values()) if (unproven.size > (most?.size ?? 0)) most = unproven
    const [oldest] = most ?? []
    if (!oldest || this.#now() - oldest.openedAt < PATIENCE_MS) return false
    this.prove(oldest)
    oldest.stream.destroy()
    return true
  }

  #remove(connection: ClientConnection<User>): void {
    connection.onGreeted()
    this.prove(connection)
    const exchanges = [...connection.exchanges]
    connection.exchanges.clear()
    for (const exchange of exchanges) this.#onLost(exchange, connection.stream)
  }
}
