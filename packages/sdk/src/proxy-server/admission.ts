import type { IncomingHttpHeaders } from 'node:http'
import type { Duplex } from 'node:stream'
import { abort } from './abort.ts'
import type { Credentials, ProxyClient, UserShare } from './authenticate.ts'
import type { ClientConnection, ClientConnections } from './connections.ts'
import type { Exchange, ExchangeKind } from './exchange.ts'
import { FailedLogins } from './failed-logins.ts'
import type { ProxyServerLimits, ProxyServerOptions } from './options.ts'
import { ProxyError } from './proxy-error.ts'
import type { ExchangeRegistry } from './registry.ts'
import { isSendable } from './reply.ts'
import type { RefusalCode } from './statuses.ts'
import type { ProxyTarget } from './target.ts'
import { openUpstream, type ProxyContext } from './upstream.ts'

/** Why new work is refused, for the client. */
const refusals: Record<RefusalCode, string> = {
  draining: 'The device is about to change its address. Send the request again, or use another device.',
  offline: 'The device has no network now.',
  egress_leak: "Traffic would leave by another interface than the device's own, so none is let through.",
}

/** Who a client is found to be. */
export interface Identity<User> {
  readonly client: ProxyClient
  /** Null when the server asks for no credentials. */
  readonly user: User | null
  /** Null: no limit of its own. */
  readonly share: UserShare | null
}

/** What a client asked for, after its credentials, its target and the state of the proxy were found to be in order. */
export interface Admitted<User> {
  readonly exchange: Exchange<User>
  readonly context: ProxyContext<User>
  /** Opens the connection to the target; null when the exchange failed meanwhile, and the client has been told. */
  open(): Promise<Duplex | null>
}

/** Decides whether a client may do what it asks for, whichever protocol it speaks. */
export class Admission<User> {
  /** Why everything new is refused; null: it is not. */
  refusal: RefusalCode | null = null
  readonly #options: ProxyServerOptions<User>
  readonly #limits: Required<ProxyServerLimits>
  readonly #registry: ExchangeRegistry<User>
  readonly #connections: ClientConnections<User>
  readonly #failedLogins = new FailedLogins()

  constructor(
    options: ProxyServerOptions<User>,
    limits: Required<ProxyServerLimits>,
    parts: { registry: ExchangeRegistry<User>; connections: ClientConnections<User> },
  ) {
    this.#options = options
    this.#limits = limits
    this.#registry = parts.registry
    this.#connections = parts.connections
  }

  /** Finds out who a client is; throws the `ProxyError` to answer. */
  async identify(
    connection: ClientConnection<User>,
    protocol: ProxyClient['protocol'],
    credentials: Credentials | null,
  ): Promise<Identity<User>> {
    const { address, surplus } = connection
    if (surplus === 'address_limit') {
      throw new ProxyError(surplus, `More than ${this.#limits.maxConnectionsPerAddress} connections come from your address.`)
    }
    if (surplus !== null) throw new ProxyError(surplus, `More than ${this.#limits.maxConnections} clients are connected.`)
    const client: ProxyClient = { address, protocol, isTls: connection.isTls }
    const { authenticate } = this.#options
    if (!authenticate) return { client, user: null, share: null }
    if (credentials && this.#failedLogins.isSaturated(address)) {
      throw new ProxyError('too_many_failures', 'Too many wrong user names and passwords came from your address.')
    }
    const verdict = await authenticate(credentials, client)
    if (verdict.allowed) {
      const { user, share = typeof user === 'string' ? { key: user } : null } = verdict
      return { client, user, share }
    }
    const { code = 'auth_required', detail, retryAfterS } = verdict
    // Browsers ask without credentials first: that is no guess.
    if (code === 'auth_required' && credentials) await this.#failedLogins.punish(address)
    throw new ProxyError(code, detail, { retryAfterS })
  }

  /** Lets an identified client's request in, or throws the `ProxyError` to answer. */
  admit(
    connection: ClientConnection<User>,
    { client, user, share }: Identity<User>,
    asked: { readonly kind: ExchangeKind; readonly target: ProxyTarget; readonly headers: IncomingHttpHeaders },
  ): Admitted<User> {
    const { kind, headers } = asked
    // Host and port alone: `connect()` may hand them to `net.connect`, for which a path is something else.
    const target = { host: asked.target.host, port: asked.target.port }
    const objection = this.#options.targets?.judge(target) ?? null
    if (objection !== null) throw new ProxyError('target_refused', objection)
    if (this.refusal) throw new ProxyError(this.refusal, refusals[this.refusal])
    const most = share?.concurrency ?? this.#limits.maxPerUser
    if (share && this.#registry.countOf(share.key) >= most) {
      throw new ProxyError('user_limit', `This user has ${most} requests and tunnels under way, as many as it may.`)
    }
    const exchange = this.#registry.open({ kind, client, target, user, shareKey: share?.key ?? null })
    this.#connections.prove(connection)
    this.#connections.attach(exchange, connection)
    const { id, signal, replyHeaders } = exchange
    const context = { id, kind, user, client, headers, signal, replyHeaders }
    const open = async (): Promise<Duplex | null> => {
      try {
        const stream = await openUpstream(this.#options.connect, exchange, context, this.#limits.connectTimeoutMs)
        if ([...replyHeaders].every(isSendable)) return stream
        abort(stream)
        throw new ProxyError('internal', 'A field for the answer holds a character that cannot be sent.')
      } catch (error) {
        exchange.fail(error)
        return null
      }
    }
    return { exchange, context, open }
  }

  /** Ends the delays of wrong credentials. */
  close(): void {
    this.#failedLogins.close()
  }
}
