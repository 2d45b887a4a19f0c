import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Exchange } from './exchange.ts'

/** The clients' connections, and what is under way on each of them. */
export class ClientConnections<User> {
  readonly #exchanges = new Map<Duplex, Set<Exchange<User>>>()
  readonly #unanswered = new WeakMap<Duplex, number>()
  readonly #surplus = new WeakSet<Duplex>()
  readonly #max: number
  readonly #onLost: (exchange: Exchange<User>, socket: Duplex) => void

  /** `onLost` is called for everything that is under way on a connection when it closes. */
  constructor(max: number, onLost: (exchange: Exchange<User>, socket: Duplex) => void) {
    this.#max = max
    this.#onLost = onLost
  }

  get size(): number {
    return this.#exchanges.size
  }

  /** Follows a connection until it closes. */
  add(socket: Duplex): void {
    if (this.#exchanges.size >= this.#max) this.#surplus.add(socket)
    this.#exchanges.set(socket, new Set())
    socket.once('close', () => {
      const exchanges = this.on(socket)
      this.#exchanges.delete(socket)
      for (const exchange of exchanges) this.#onLost(exchange, socket)
    })
  }

  /** Whether the connection came when there were `max` others. */
  isSurplus(socket: Duplex): boolean {
    return this.#surplus.has(socket)
  }

  /** What is under way on a connection. */
  on(socket: Duplex): ReadonlySet<Exchange<User>> {
    return this.#exchanges.get(socket) ?? new Set()
  }

  /** Notes a request that must be answered on a connection before anything else may be said there, until it is answered. */
  expectAnswer(socket: Duplex, res: ServerResponse): void {
    this.#unanswered.set(socket, this.unansweredOn(socket) + 1)
    res.once('close', () => this.#unanswered.set(socket, this.unansweredOn(socket) - 1))
  }

  /** Plain requests of a connection that have no whole answer yet. */
  unansweredOn(socket: Duplex): number {
    return this.#unanswered.get(socket) ?? 0
  }

  attach(exchange: Exchange<User>, socket: Duplex): void {
    const exchanges = this.#exchanges.get(socket)
    if (exchanges) exchanges.add(exchange)
    else this.#onLost(exchange, socket)
  }

  detach(exchange: Exchange<User>, socket: Duplex): void {
    this.#exchanges.get(socket)?.delete(exchange)
  }

  destroyAll(): void {
    for (const socket of this.#exchanges.keys()) socket.destroy()
  }
}
