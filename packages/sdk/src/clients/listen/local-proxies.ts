import { randomBytes } from 'node:crypto'
import { isIPv6 } from 'node:net'
import { closedError } from '../../dispatch/no-device-errors.ts'
import type { ProxyTls } from '../../proxy-server/index.ts'
import type { Carrier } from '../carrier.ts'
import { type Scope, scopeOf } from '../scope.ts'
import { parseView } from '../view-options.ts'
import type { Grant } from './grants.ts'
import { type ListenOptions, parseListenOptions } from './listen-options.ts'
import { LocalServer } from './local-server.ts'

/** A proxy on this machine whose requests go through the pool: `pool.listen()`. It keeps the process alive until it is closed. */
export interface LocalProxy extends AsyncDisposable {
  /** `http://user:password@127.0.0.1:port` (with `tls`: `https://`), for whatever takes a proxy URL. */
  readonly url: string
  /** The same port by SOCKS5, `socks5h://...`: names are resolved by the device. */
  readonly socksUrl: string
  /** The address that it listens on. */
  readonly host: string
  /** The port that it listens on: also where 0 was asked for. */
  readonly port: number
  /** As it is, not percent-encoded as in `url`. */
  readonly username: string
  /** As it is, not percent-encoded as in `url`. */
  readonly password: string
  /** Stops listening and cuts every connection. Closing the pool does it too. */
  close(): Promise<void>
}

/** A user name and password of its own on the shared local proxy. */
export interface LocalGrant extends Omit<LocalProxy, 'close' | typeof Symbol.asyncDispose> {
  /** Lets the user in no more and cuts what he has under way. The shared proxy closes with its last user. */
  revoke(): Promise<void>
}

/** The local proxies of a pool: those that were asked for, and one that many users share. */
export class LocalProxies {
  readonly #carrier: Carrier
  readonly #servers = new Set<LocalServer>()
  #shared: Promise<LocalServer> | null = null
  /** Users of the shared one, also those who wait for it to listen. */
  #sharers = 0
  #isClosed: boolean = false

  constructor(carrier: Carrier) {
    this.#carrier = carrier
  }

  /** As `MobilePoolApi` says. */
  async listen(options: ListenOptions = {}): Promise<LocalProxy> {
    const { port, host, username, password = randomPassword(), tls = null, view } = parseListenOptions(options)
    const scope = scopeOf(parseView(view ?? {}))
    const server = await this.#open(port, host, tls)
    const grant: Grant = { username, password, scope, takesSessions: true }
    server.admit(grant)
    const close = (): Promise<void> => this.#close(server)
    return { ...placeOf(server, grant), close, [Symbol.asyncDispose]: close }
  }

  /** A user of its own on a proxy that is shared, on loopback, and there while anybody uses it. */
  async grant(scope: Scope): Promise<LocalGrant> {
    this.#sharers++
    const leave = async (): Promise<void> => {
      this.#sharers--
      if (this.#sharers > 0) return
      const shared = this.#shared
      this.#shared = null
      const server = await shared?.catch(() => null)
      if (server) await this.#close(server)
    }
    this.#shared ??= this.#open(0, '127.0.0.1', null)
    let server: LocalServer
    try {
      server = await this.#shared
    } catch (error) {
      await leave()
      throw error
    }
    const grant: Grant = {
      username: `lease-${randomBytes(9).toString('base64url')}`,
      password: randomPassword(),
      scope,
      takesSessions: false,
    }
    server.admit(grant)
    let left: Promise<void> | null = null
    const revoke = (): Promise<void> => {
      if (left !== null) return left
      server.expel(grant)
      left = leave()
      return left
    }
    return { ...placeOf(server, grant), revoke }
  }

  /** Answers new requests 503, opens no proxy any more, and waits until clients have their answers whole and tunnels are over, at most for so long. */
  async drain(timeoutMs: number): Promise<void> {
    this.#refuse()
    const drained = Promise.all([...this.#servers].map((server) => server.drained()))
    let callOff = (): void => {}
    const late = new Promise<void>((resolve) => {
      callOff = this.#carrier.clock.schedule(timeoutMs, resolve, { keepsProcessAlive: true })
    })
    await Promise.race([drained, late])
    callOff()
  }

  async close(): Promise<void> {
    this.#refuse()
    await Promise.all([...this.#servers].map((server) => this.#close(server)))
  }

  #refuse(): void {
    this.#isClosed = true
    for (const server of this.#servers) server.refuse()
  }

  async #open(port: number, host: string, tls: ProxyTls | null): Promise<LocalServer> {
    if (this.#isClosed) throw closedError()
    const server = new LocalServer(this.#carrier, tls)
    await server.listen(port, host)
    this.#servers.add(server)
    // The pool was closed meanwhile.
    if (this.#isClosed) {
      await this.#close(server)
      throw closedError()
    }
    return server
  }

  async #close(server: LocalServer): Promise<void> {
    if (this.#servers.delete(server)) await server.close()
  }
}

const randomPassword = (): string => randomBytes(24).toString('base64url')

function placeOf(server: LocalServer, { username, password }: Grant) {
  const { host, port } = server.address
  const user = `${encodeURIComponent(username)}:${encodeURIComponent(password)}`
  const authority = `${user}@${hostOf(host)}:${port}`
  return { url: `${server.isTls ? 'https' : 'http'}://${authority}`, socksUrl: `socks5h://${authority}`, host, port, username, password }
}

/** An address that listens on all is reached from here by the one of loopback. */
function hostOf(host: string): string {
  const reached = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return isIPv6(reached) ? `[${reached}]` : reached
}
