import { MobilePoolError } from '../../errors.ts'
import { type Connect, createProxyServer, type Forward, ProxyError, type ProxyServer, type ProxyTls } from '../../proxy-server/index.ts'
import type { Carrier } from '../carrier.ts'
import { type Grant, Grants, type Visitor } from './grants.ts'
import { connectThroughPool, forwardThroughPool } from './through-pool.ts'

/** The pool's own limits end every search for a device; the proxy server's is there for what they do not cover. */
const CONNECT_TIMEOUT_MS = 600_000

/** A forward proxy in front of the pool, for the users it was told of. */
export class LocalServer {
  readonly #carrier: Carrier
  readonly #grants = new Grants()
  readonly #proxy: ProxyServer<Visitor>
  /** Whether clients may speak TLS to it. */
  readonly isTls: boolean
  #address: { readonly host: string; readonly port: number } | null = null

  /** Throws `MP_OPTIONS` when the certificate cannot be used. */
  constructor(carrier: Carrier, tls: ProxyTls | null) {
    this.#carrier = carrier
    this.isTls = tls !== null
    try {
      this.#proxy = createProxyServer<Visitor>({
        authenticate: this.#grants.authenticate,
        connect: this.#connect,
        forward: this.#forward,
        limits: { connectTimeoutMs: CONNECT_TIMEOUT_MS },
        ...(tls === null ? {} : { tls }),
      })
    } catch (error) {
      if (!(error instanceof ProxyError)) throw error
      throw new MobilePoolError('MP_OPTIONS', `the options of listen() are wrong: ${error.message}`, { phase: 'options', cause: error })
    }
  }

  /** Throws `MP_LISTEN`. */
  async listen(port: number, host: string): Promise<void> {
    try {
      this.#address = await this.#proxy.listen(port, host)
    } catch (error) {
      if (!(error instanceof ProxyError)) throw error
      const { code: errno } = (error.cause ?? {}) as { code?: string }
      throw new MobilePoolError('MP_LISTEN', error.message, { phase: 'options', cause: error, ...(errno === undefined ? {} : { errno }) })
    }
  }

  /** Where it listens. */
  get address(): { readonly host: string; readonly port: number } {
    if (this.#address === null) throw new Error('it does not listen yet')
    return this.#address
  }

  /** Users that are let in. */
  get size(): number {
    return this.#grants.size
  }

  admit(grant: Grant): void {
    this.#grants.add(grant)
  }

  /** The user is let in no more, and what he has under way is cut. */
  expel(grant: Grant): void {
    this.#grants.delete(grant)
    this.#proxy.destroyConnections({ of: (user) => user?.grant === grant, detail: 'The user name is not valid any more.' })
  }

  /** Takes no new requests: they are answered 503. */
  refuse(): void {
    this.#proxy.refuse('draining')
  }

  /** Resolves when nothing is under way. */
  drained(): Promise<void> {
    return this.#proxy.drained()
  }

  close(): Promise<void> {
    return this.#proxy.close()
  }

  readonly #connect: Connect<Visitor> = (target, context) => connectThroughPool(this.#carrier, scopeOf(context.user), target, context)

  readonly #forward: Forward<Visitor> = (request, context) => forwardThroughPool(this.#carrier, scopeOf(context.user), request, context)
}

function scopeOf(user: Visitor | null): Visitor['scope'] {
  if (user === null) throw new ProxyError('auth_required', 'This proxy asks for a user name and a password.')
  return user.scope
}
