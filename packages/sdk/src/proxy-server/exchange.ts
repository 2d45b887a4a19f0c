import { type Failure, failureOf } from './failure.ts'
import { authorityOf, type ProxyTarget } from './target.ts'

/** `request`: absolute-form. `upgrade`: the same with an Upgrade (WebSocket). `tunnel`: CONNECT. */
export type ExchangeKind = 'request' | 'upgrade' | 'tunnel'

/** What observers are told of one request, upgrade or tunnel when it is over. */
export interface ExchangeSummary<User> {
  readonly id: number
  readonly kind: ExchangeKind
  /** `host:port`. */
  readonly target: string
  /** Null when the server asks for no credentials. */
  readonly user: User | null
  /** The status that the client was answered; null when it got none. */
  readonly status: number | null
  /** What went wrong on our side; null when nothing did. A status of the site's own (404, 500) is no failure. */
  readonly failure: Failure | null
  /** Bytes of bodies and tunnels, without the heads of plain requests. */
  readonly bytesUp: number
  readonly bytesDown: number
  readonly durationMs: number
}

/** One request, upgrade or tunnel under way. */
export class Exchange<User> {
  readonly id: number
  readonly kind: ExchangeKind
  readonly target: ProxyTarget
  readonly user: User | null
  status: number | null = null
  bytesUp = 0
  bytesDown = 0
  readonly #startedAt = performance.now()
  readonly #abort = new AbortController()
  #failure: Failure | null = null

  constructor(start: { id: number; kind: ExchangeKind; target: ProxyTarget; user: User | null }) {
    this.id = start.id
    this.kind = start.kind
    this.target = start.target
    this.user = start.user
  }

  /** Aborted by `fail()`; its reason is the failure. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  get failure(): Failure | null {
    return this.#failure
  }

  /** Ends the exchange. The first failure is the one that counts. */
  fail(error: unknown): void {
    if (this.#failure) return
    this.#failure = failureOf(error)
    this.#abort.abort(error)
  }

  summary(): ExchangeSummary<User> {
    return {
      id: this.id,
      kind: this.kind,
      target: authorityOf(this.target),
      user: this.user,
      status: this.status,
      failure: this.#failure,
      bytesUp: this.bytesUp,
      bytesDown: this.bytesDown,
      durationMs: Math.round(performance.now() - this.#startedAt),
    }
  }
}
