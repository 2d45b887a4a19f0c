import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { abort, ignore } from './abort.ts'
import { parseBasic } from './authenticate.ts'
import { ClientConnections } from './connections.ts'
import type { Exchange, ExchangeKind } from './exchange.ts'
import { type Failure, failureOf } from './failure.ts'
import { type Forwarding, forwardRequest } from './forward.ts'
import { framingOf } from './headers.ts'
import type { ProxyServerLimits, ProxyServerOptions } from './options.ts'
import { ProxyError } from './proxy-error.ts'
import { ExchangeRegistry } from './registry.ts'
import { answerProblem, answerProblemAndClose, headOf, type Problem, problemOf } from './reply.ts'
import { serveRequest } from './serve.ts'
import type { RefusalCode } from './statuses.ts'
import { type AbsoluteTarget, type ProxyTarget, parseAbsoluteTarget, parseConnectTarget } from './target.ts'
import { forwardUpgrade, joinAfterHandshake } from './upgrade.ts'
import { openUpstream, type ProxyContext } from './upstream.ts'
import { whileWatched } from './while-watched.ts'

/** Why new work is refused, for the client. */
const refusals: Record<RefusalCode, string> = {
  draining: 'The device is about to change its address. Send the request again, or use another device.',
  offline: 'The device has no network now.',
  egress_leak: "Traffic would leave by another interface than the device's own, so none is let through.",
}

/** What a client asked for, after its credentials, its target and the state of the proxy were found to be in order. */
interface Admitted<User, Target> {
  readonly exchange: Exchange<User>
  readonly target: Target
  readonly replyHeaders: Map<string, string>
  readonly context: ProxyContext<User>
  /** Opens the connection to the target; null when the exchange failed meanwhile, and the client has been told. */
  open(): Promise<Duplex | null>
}

/** One client's request, upgrade or CONNECT on its way through the proxy. `server.ts` gives it the connections. */
export class ProxyService<User> {
  readonly registry = new ExchangeRegistry<User>()
  readonly connections: ClientConnections<User>
  refusal: RefusalCode | null = null
  readonly #options: ProxyServerOptions<User>
  readonly #limits: Required<ProxyServerLimits>

  constructor(options: ProxyServerOptions<User>, limits: Required<ProxyServerLimits>) {
    this.#options = options
    this.#limits = limits
    this.connections = new ClientConnections(limits.maxConnections, (exchange, socket) => {
      const isOver = exchange.kind !== 'request' && socket.readableEnded && socket.writableFinished
      if (!isOver) exchange.fail(new ProxyError('client_gone', 'The client closed its connection before it had the whole answer.'))
      this.#end(exchange, socket)
    })
  }

  async onRequest(req: IncomingMessage, res: ServerResponse): Promise<void> {
    this.connections.expectAnswer(req.socket, res)
    let admitted: Admitted<User, AbsoluteTarget>
    try {
      admitted = await this.#admit(req, req.socket, 'request', () => parseAbsoluteTarget(req.url ?? '', req.method ?? ''))
    } catch (error) {
      answerProblem(res, this.#turnAway(error))
      return
    }
    const { exchange, target, replyHeaders } = admitted
    exchange.signal.addEventListener('abort', () => {
      if (res.headersSent) abort(req.socket)
      else if (!req.socket.destroyed) answerProblem(res, this.#tell(exchange))
    })
    res.on('close', () => this.#end(exchange, req.socket))
    const { forward } = this.#options
    if (forward && target.path !== '*') {
      await serveRequest(req, res, { exchange, target, context: admitted.context, forward })
      return
    }
    const upstream = await admitted.open()
    if (!upstream) return
    res.on('close', () => upstream.destroy())
    forwardRequest(req, res, this.#way(exchange, upstream, target, replyHeaders))
  }

  async onUpgrade(req: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const admitted = await this.#admitDetached(req, socket, 'upgrade', () => parseAbsoluteTarget(req.url ?? '', req.method ?? ''))
    const upstream = await admitted?.open()
    if (!admitted || !upstream) return
    forwardUpgrade(req, socket, head, this.#way(admitted.exchange, upstream, admitted.target, admitted.replyHeaders))
  }

  async onConnect(req: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const admitted = await this.#admitDetached(req, socket, 'tunnel', () => parseConnectTarget(req.url ?? ''))
    if (!admitted) return
    const upstream = await whileWatched(socket, admitted.exchange, admitted.open())
    if (!upstream) return
    const { exchange, replyHeaders } = admitted
    exchange.signal.addEventListener('abort', () => abort(upstream))
    exchange.status = 200
    socket.write(headOf(200, 'Connection established', [...replyHeaders].flat()))
    joinAfterHandshake({ socket, head, upstream, exchange })
  }

  /** A connection that carries something that is no HTTP/1.1 request. */
  onClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
    const hasSpoken = (socket as Socket).bytesRead > 0
    if (!socket.writable || !hasSpoken || this.connections.unansweredOn(socket) > 0) {
      socket.destroy()
      return
    }
    answerProblemAndClose(socket, problemOf(clientFailure(error.code ?? ''), this.#realm))
  }

  /** A connection on which nothing has happened for a while. */
  onIdle(socket: Duplex): void {
    const exchanges = this.connections.on(socket)
    if (exchanges.size === 0) socket.destroy()
    const seconds = Math.round(this.#limits.idleTimeoutMs / 1_000)
    for (const exchange of exchanges) exchange.fail(new ProxyError('idle_timeout', `Nothing was sent or received for ${seconds} s.`))
  }

  get #realm(): string {
    return this.#options.realm ?? 'MobilePool'
  }

  /** As `#admit`, for a connection that Node's server has handed over: whoever is turned away is told so and disconnected. */
  async #admitDetached<Target extends ProxyTarget>(
    req: IncomingMessage,
    socket: Duplex,
    kind: ExchangeKind,
    parseTarget: () => Target,
  ): Promise<Admitted<User, Target> | null> {
    socket.on('error', ignore)
    req.socket.setTimeout(this.#limits.idleTimeoutMs, () => this.onIdle(socket))
    if (this.connections.unansweredOn(socket) > 0) {
      // Pipelined behind a request that is not answered yet: the answers could not be told apart.
      abort(socket)
      return null
    }
    let admitted: Admitted<User, Target>
    try {
      admitted = await this.#admit(req, socket, kind, parseTarget)
    } catch (error) {
      answerProblemAndClose(socket, this.#turnAway(error))
      return null
    }
    const { exchange } = admitted
    exchange.signal.addEventListener('abort', () => {
      if (exchange.status === null) answerProblemAndClose(socket, this.#tell(exchange))
      else abort(socket)
    })
    return admitted
  }

  async #admit<Target extends ProxyTarget>(
    req: IncomingMessage,
    socket: Duplex,
    kind: ExchangeKind,
    parseTarget: () => Target,
  ): Promise<Admitted<User, Target>> {
    if (this.connections.isSurplus(socket)) {
      throw new ProxyError('too_many_connections', `More than ${this.#limits.maxConnections} clients are connected.`)
    }
    const clientAddress = req.socket.remoteAddress ?? ''
    const user = await this.#authenticate(req, clientAddress)
    const target = parseTarget()
    if (kind !== 'tunnel') checkHead(req, kind)
    if (this.refusal) throw new ProxyError(this.refusal, refusals[this.refusal])

    // Host and port alone: `connect()` may hand them to `net.connect`, for which a path is something else.
    const exchange = this.registry.open(kind, { host: target.host, port: target.port }, user)
    this.connections.attach(exchange, socket)
    const replyHeaders = new Map<string, string>()
    const { connect } = this.#options
    const context = { id: exchange.id, kind, user, clientAddress, headers: req.headers, signal: exchange.signal, replyHeaders }
    const open = async (): Promise<Duplex | null> => {
      try {
        return await openUpstream(connect, exchange, context, this.#limits.connectTimeoutMs)
      } catch (error) {
        exchange.fail(error)
        return null
      }
    }
    return { exchange, target, replyHeaders, context, open }
  }

  async #authenticate(req: IncomingMessage, address: string): Promise<User | null> {
    const { authenticate } = this.#options
    if (!authenticate) return null
    const verdict = await authenticate(parseBasic(req.headers['proxy-authorization']), { address })
    if (!verdict.allowed) throw new ProxyError('auth_required', verdict.detail)
    return verdict.user
  }

  #way(exchange: Exchange<User>, upstream: Duplex, target: AbsoluteTarget, replyHeaders: ReadonlyMap<string, string>): Forwarding<User> {
    return { exchange, upstream, target, replyHeaders, maxHeaderBytes: this.#limits.maxHeaderBytes }
  }

  /** The answer for a request that does not become an exchange. */
  #turnAway(error: unknown): Problem {
    const failure: Failure =
      error instanceof ProxyError ? failureOf(error) : { code: 'internal', detail: 'The proxy could not check this request.' }
    if (failure.code === 'auth_required') this.registry.countTurnedAway('unauthorized')
    else this.registry.countTurnedAway('refused')
    return problemOf(failure, this.#realm)
  }

  /** The answer for an exchange that failed before the target's answer began. */
  #tell(exchange: Exchange<User>): Problem {
    const problem = problemOf(exchange.failure ?? failureOf(null), this.#realm)
    exchange.status = problem.status
    return problem
  }

  #end(exchange: Exchange<User>, socket: Duplex): void {
    this.connections.detach(exchange, socket)
    const summary = this.registry.close(exchange)
    if (summary) this.#options.onClose?.(summary)
  }
}

/** What RFC 9112 asks of a request's head beyond what Node's parser checks. */
function checkHead(req: IncomingMessage, kind: ExchangeKind): void {
  const hosts = req.rawHeaders.filter((text, at) => at % 2 === 0 && text.toLowerCase() === 'host').length
  if (hosts > 1 || (hosts === 0 && req.httpVersion !== '1.0'))
    throw new ProxyError('bad_request', 'A request needs exactly one Host field.')
  const framing = framingOf(req.headers)
  if (framing === 'unknown') throw new ProxyError('not_implemented', 'Of the transfer codings only "chunked" is understood.')
  if (kind === 'upgrade' && framing !== 'none') throw new ProxyError('not_implemented', 'An upgrade with a request body is not supported.')
}

function clientFailure(code: string): Failure {
  if (code === 'HPE_HEADER_OVERFLOW') return { code: 'head_too_large', detail: 'The request head is too large.' }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return { code: 'request_timeout', detail: 'The request head did not arrive in time.' }
  return { code: 'bad_request', detail: `This is not a valid HTTP/1.1 request (${code}).` }
}
