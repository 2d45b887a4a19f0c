import type { ProxyClient } from './authenticate.ts'
import { type Failure, failureOf } from './failure.ts'
import { authorityOf, type ProxyTarget } from './target.ts'

/** `request`: absolute-form. `upgrade`: the same with an Upgrade (WebSocket). `tunnel`: CONNECT, of HTTP or of SOCKS5. */
export type ExchangeKind = 'request' | 'upgrade' | 'tunnel'

/** What is known of one request, upgrade or tunnel: under way, or when it is over. */
export interface ExchangeSummary<User> {
  /** Counts from 1 in each server. */
  readonly id: number
  /** What the client asked for. */
  readonly kind: ExchangeKind
  /** Who asked. */
  readonly client: ProxyClient
  /** `host:port`. */
  readonly target: string
  /** Null when the server asks for no credentials. */
  readonly user: User | null
  /** The status that the client was answered (for SOCKS5: the one that HTTP would have had); null when it got none. */
  readonly status: number | null
  /** What went wrong on our side; null when nothing did. A status of the site's own (404, 500) is no failure. */
  readonly failure: Failure | null
  /** Bytes of bodies and tunnels, without the heads of plain requests. */
  readonly bytesUp: number
  /** The same towards the client. */
  readonly bytesDown: number
  /** From the request's head to its end, or to now, ms. */
  readonly durationMs: number
}

/** One request, upgrade or tunnel under way. */
export class Exchange<User> {
  readonly id: number
  readonly kind: ExchangeKind
  readonly client: ProxyClient
  readonly target: ProxyTarget
  readonly user: User | null
  /** Whose limit it counts for; null: nobody's. */
  readonly shareKey: string | null
  /** Fields that the proxy adds to the answer, its own errors included. */
  readonly replyHeaders = new Map<string, string>()
  status: number | null = null
  bytesUp = 0
  bytesDown = 0
  readonly #startedAt = performance.now()
  readonly #abort = new AbortController()
  #failure: Failure | null = null

  constructor(start: Pick<Exchange<User>, 'id' | 'kind' | 'client' | 'target' | 'user' | 'shareKey'>) {
    this.id = start.id
    this.kind = start.kind
    this.client = start.client
    this.target = start.target
    this.user = start.user
    this.shareKey = start.shareKey
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
      client: this.client,
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
