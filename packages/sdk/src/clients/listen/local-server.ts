import { MobilePoolError } from '../../errors.ts'
import { type Connect, createProxyServer, type Forward, ProxyError, type ProxyServer, type ProxyTarget } from '../../proxy-server/index.ts'
import type { Carrier } from '../carrier.ts'
import { AnswerReader } from './answer-reader.ts'
import { type Grant, Grants, type Visitor } from './grants.ts'
import { proxyErrorOf } from './proxy-error-of.ts'

/** The pool's own limits end every search for a device; the proxy server's is there for what they do not cover. */
const CONNECT_TIMEOUT_MS = 600_000

/** What the pool says of an answer. The site's own fields of such names are never passed on. */
const pooled = ['x-mobilepool-device', 'x-mobilepool-ip', 'x-mobilepool-attempts', 'x-mobilepool-request']

/** A forward proxy in front of the pool, for the users it was told of. */
export class LocalServer {
  readonly #carrier: Carrier
  readonly #grants = new Grants()
  readonly #proxy: ProxyServer<Visitor>
  #address: { readonly host: string; readonly port: number } | null = null

  constructor(carrier: Carrier) {
    this.#carrier = carrier
    this.#proxy = createProxyServer<Visitor>({
      authenticate: this.#grants.authenticate,
      connect: this.#connect,
      forward: this.#forward,
      limits: { connectTimeoutMs: CONNECT_TIMEOUT_MS },
    })
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

  readonly #connect: Connect<Visitor> = async (target, { user, signal, replyHeaders }) => {
    const { carrier, scope } = this.#way(user)
    try {
      const where = { hostname: target.host, port: target.port, isPlainHttp: false }
      const { socket, device, exitIp } = await carrier.outside(() => carrier.openPath(scope, where, signal))
      socket.allowHalfOpen = true
      if (carrier.engine.exposeHeaders) {
        replyHeaders.set('x-mobilepool-device', encodeURIComponent(device.device))
        if (exitIp !== null) replyHeaders.set('x-mobilepool-ip', exitIp)
      }
      return socket
    } catch (error) {
      throw proxyErrorOf(error)
    }
  }

  readonly #forward: Forward<Visitor> = async ({ target, method, path, headers, body }, { user, signal, replyHeaders }) => {
    const { carrier, scope } = this.#way(user)
    const reader = new AnswerReader(signal)
    const options = { origin: originOf(target), method, path, headers, body }
    carrier.outside(() => carrier.dispatch(scope, options, reader))
    const answer = await reader.answer
    if (carrier.engine.exposeHeaders) {
      for (let at = 0; at + 1 < answer.headers.length; at += 2) {
        const name = answer.headers[at]?.toLowerCase() ?? ''
        if (pooled.includes(name)) replyHeaders.set(name, answer.headers[at + 1] ?? '')
      }
    }
    return answer
  }

  #way(user: Visitor | null): { carrier: Carrier; scope: Visitor['scope'] } {
    if (user === null) throw new ProxyError('auth_required', 'This proxy asks for a user name and a password.')
    return { carrier: this.#carrier, scope: user.scope }
  }
}

const originOf = ({ host, port }: ProxyTarget): string => {
  const name = host.includes(':') ? `[${host}]` : host
  return port === 80 ? `http://${name}` : `http://${name}:${port}`
}
