import type { IncomingHttpHeaders } from 'node:http'
import type { Duplex } from 'node:stream'
import { abort } from './abort.ts'
import type { ProxyClient } from './authenticate.ts'
import type { Exchange, ExchangeKind } from './exchange.ts'
import { ProxyError } from './proxy-error.ts'
import type { ProxyTarget } from './target.ts'

/** What `connect()` may know of the request it connects for. */
export interface ProxyContext<User> {
  /** Number of the exchange, the same as in its summary. */
  readonly id: number
  /** What the client asked for. */
  readonly kind: ExchangeKind
  /** Null when the server asks for no credentials. */
  readonly user: User | null
  /** Who asked. */
  readonly client: ProxyClient
  /** The client's headers, with its `X-MobilePool-*` choices; they are not forwarded. SOCKS5 has none. */
  readonly headers: IncomingHttpHeaders
  /** Aborted when the client is gone, the connect time-out is over, or the connection is no longer wanted. */
  readonly signal: AbortSignal
  /** Fields to add to the answer, e.g. `X-MobilePool-Device`; also to that of CONNECT, and to the proxy's own when it fails. */
  readonly replyHeaders: Map<string, string>
}

/**
 * Opens a connection to the target. The stream must allow half-open use (`net.connect({ allowHalfOpen: true })`), and a reset must be
 * seen as an `error`, not as an `end`. Throws `ProxyError` to choose the answer; Node's own errors are understood.
 */
export type Connect<User> = (target: ProxyTarget, context: ProxyContext<User>) => Duplex | Promise<Duplex>

/** Calls `connect()` under its time-out. A connection that comes too late is destroyed, so that none is leaked. */
export function openUpstream<User>(
  connect: Connect<User>,
  exchange: Exchange<User>,
  context: ProxyContext<User>,
  connectTimeoutMs: number,
): Promise<Duplex> {
  const { signal } = exchange
  const timer = setTimeout(() => {
    exchange.fail(new ProxyError('connect_timeout', `The target accepted no connection within ${connectTimeoutMs} ms.`))
  }, connectTimeoutMs)
  return new Promise<Duplex>((resolve, reject) => {
    const giveUp = (): void => reject(signal.reason)
    signal.addEventListener('abort', giveUp, { once: true })
    const connecting = async (): Promise<void> => {
      try {
        const stream = await connect(exchange.target, context)
        if (signal.aborted) abort(stream)
        else if (stream.destroyed) throw Object.assign(new Error('connected and lost'), { code: 'ECONNRESET' })
        else resolve(stream)
      } catch (error) {
        reject(error)
      } finally {
        signal.removeEventListener('abort', giveUp)
      }
    }
    void connecting()
  }).finally(() => clearTimeout(timer))
}
