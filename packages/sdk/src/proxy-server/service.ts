import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { abort, ignore } from './abort.ts'
import { Admission, type Admitted } from './admission.ts'
import { parseBasic } from './authenticate.ts'
import { type ClientConnection, ClientConnections } from './connections.ts'
import type { Exchange, ExchangeKind } from './exchange.ts'
import { type Failure, failureOf } from './failure.ts'
import { type Forwarding, forwardRequest } from './forward.ts'
import { checkHead } from './head-rules.ts'
import type { ProxyServerLimits, ProxyServerOptions } from './options.ts'
import { ProxyError } from './proxy-error.ts'
import { ExchangeRegistry } from './registry.ts'
import { answerProblem, answerProblemAndClose, headOf, type Problem, problemOf } from './reply.ts'
import { serveRequest } from './serve.ts'
import { type AbsoluteTarget, type ProxyTarget, parseAbsoluteTarget, parseConnectTarget } from './target.ts'
import { forwardUpgrade, joinAfterHandshake } from './upgrade.ts'
import { whileWatched } from './while-watched.ts'

/** Requests that a client may send ahead of their answers. They are served one after the other. */
const MAX_PIPELINED = 64

/** One client's request, upgrade or CONNECT over HTTP on its way through the proxy. `server.ts` gives it the connections. */
export class ProxyService<User> {
  readonly registry = new ExchangeRegistry<User>()
  readonly connections: ClientConnections<User>
  readonly admission: Admission<User>
  /** Connections are closed when what is under way on them is over. */
  isClosing: boolean = false
  readonly #options: ProxyServerOptions<User>
  readonly #limits: Required<ProxyServerLimits>

  constructor(options: ProxyServerOptions<User>, limits: Required<ProxyServerLimits>) {
    this.#options = options
    this.#limits = limits
    this.connections = new ClientConnections(limits, (exchange, stream) => {
      const isOver = exchange.kind !== 'request' && stream.readableEnded && stream.writableFinished
      if (!isOver) exchange.fail(new ProxyError('client_gone', 'The client closed its connection before it had the whole answer.'))
      this.#end(exchange)
    })
    this.admission = new Admission(options, limits, { registry: this.registry, connections: this.connections })
  }

  async onRequest(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const connection = this.connections.of(req.socket)
    if (!connection || connection.unanswered >= MAX_PIPELINED) {
      abort(req.socket)
      return
    }
    connection.onGreeted()
    const isFirst = connection.unanswered === 0
    const turn = this.connections.expectAnswer(connection, res)
    const objection = objectionTo(() => checkHead(req, 'request', this.#limits.maxHeaders))
    // At once where nobody is waiting: the parser may be about to cut the connection for its own objection.
    if (!isFirst || !objection) await turn
    if (connection.isEnding) return
    if (objection) {
      // Where one message ends is in doubt, so is where the next begins.
      connection.isEnding = true
      res.shouldKeepAlive = false
      this.#answer(res, this.turnAway(objection))
      return
    }
    let admitted: Admitted<User>
    let target: AbsoluteTarget
    try {
      ;[admitted, target] = await this.#admit(connection, req, 'request', () => parseAbsoluteTarget(req.url ?? '', req.method ?? ''))
    } catch (error) {
      this.#answer(res, this.turnAway(error))
      return
    }
    const { exchange } = admitted
    exchange.signal.addEventListener('abort', () => {
      if (res.headersSent) abort(req.socket)
      else if (!req.socket.destroyed) this.#answer(res, this.tell(exchange))
    })
    res.on('close', () => {
      this.#end(exchange)
      connection.exchanges.delete(exchange)
      if (this.isClosing && connection.unanswered === 0) connection.stream.end()
    })
    const { forward } = this.#options
    if (forward && target.path !== '*') {
      await serveRequest(req, res, { exchange, target, context: admitted.context, forward, onAnswer: this.#options.onAnswer })
      return
    }
    const upstream = await admitted.open()
    if (!upstream) return
    res.on('close', () => upstream.destroy())
    forwardRequest(req, res, this.#way(exchange, upstream, target))
  }

  async onUpgrade(req: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const result = await this.#admitDetached(req, socket, 'upgrade', () => parseAbsoluteTarget(req.url ?? '', req.method ?? ''))
    const upstream = await result?.[0].open()
    if (!result || !upstream) return
    const [{ exchange }, target] = result
    forwardUpgrade(req, socket, head, this.#way(exchange, upstream, target))
  }

  async onConnect(req: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const result = await this.#admitDetached(req, socket, 'tunnel', () => parseConnectTarget(req.url ?? ''))
    if (!result) return
    const [{ exchange, open }] = result
    const upstream = await whileWatched(socket, exchange, open())
    if (!upstream) return
    exchange.signal.addEventListener('abort', () => abort(upstream))
    exchange.status = 200
    socket.write(headOf(200, 'Connection established', [...exchange.replyHeaders].flat()), 'latin1')
    joinAfterHandshake({ socket, head, upstream, exchange })
  }

  /** A connection that carries something that is no HTTP/1.1 request. */
  onClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
    const hasSpoken = (socket as Socket).bytesRead > 0
    const connection = this.connections.of(socket)
    // Its last answer is on its way.
    if (connection?.isEnding) return
    if (!socket.writable || !hasSpoken || (connection?.unanswered ?? 0) > 0) {
      socket.destroy()
      return
    }
    answerProblemAndClose(socket, problemOf(clientFailure(error.code ?? ''), this.#realm))
  }

  /** A connection whose first request does not come to its end. */
  onLate(connection: ClientConnection<User>): void {
    this.onClientError(Object.assign(new Error('too late'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' }), connection.stream)
  }

  /** A client that does not speak TLS where it must. */
  onPlain(stream: Duplex, isSocks: boolean): void {
    const problem = this.turnAway(new ProxyError('bad_request', 'This proxy speaks TLS only: use it as https://.'))
    if (isSocks) stream.destroy()
    else answerProblemAndClose(stream, problem)
  }

  /** A request that asks for something else than `100-continue`. */
  onExpectation(res: ServerResponse): void {
    this.#answer(res, this.turnAway(new ProxyError('expectation_failed', 'Of the expectations only "100-continue" is understood.')))
  }

  /** A connection on which nothing has happened for a while. */
  onIdle(stream: Duplex): void {
    const exchanges = this.connections.of(stream)?.exchanges ?? new Set()
    if (exchanges.size === 0) stream.destroy()
    const seconds = Math.round(this.#limits.idleTimeoutMs / 1_000)
    for (const exchange of exchanges) exchange.fail(new ProxyError('idle_timeout', `Nothing was sent or received for ${seconds} s.`))
  }

  /** The answer for what does not become an exchange. */
  turnAway(error: unknown): Problem {
    const failure: Failure =
      error instanceof ProxyError ? failureOf(error) : { code: 'internal', detail: 'The proxy could not check this request.' }
    if (failure.code === 'auth_required') this.registry.countTurnedAway('unauthorized')
    else this.registry.countTurnedAway('refused')
    return problemOf(failure, this.#realm)
  }

  /** The answer for an exchange that failed before the target's answer began. */
  tell(exchange: Exchange<User>): Problem {
    const problem = problemOf(exchange.failure ?? failureOf(null), this.#realm, exchange.replyHeaders)
    exchange.status = problem.status
    return problem
  }

  get #realm(): string {
    return this.#options.realm ?? 'MobilePool'
  }

  #answer(res: ServerResponse, problem: Problem): void {
    if (this.isClosing) res.shouldKeepAlive = false
    answerProblem(res, problem)
  }

  /** As `#admit`, for a connection that Node's server has handed over: whoever is turned away is told so and disconnected. */
  async #admitDetached<Target extends ProxyTarget>(
    req: IncomingMessage,
    socket: Duplex,
    kind: ExchangeKind,
    parseTarget: () => Target,
  ): Promise<[Admitted<User>, Target] | null> {
    const connection = this.connections.of(socket)
    socket.on('error', ignore)
    req.socket.setTimeout(this.#limits.idleTimeoutMs, () => this.onIdle(socket))
    if (!connection || connection.unanswered > 0) {
      // Pipelined behind a request that is not answered yet: the answers could not be told apart.
      abort(socket)
      return null
    }
    connection.onGreeted()
    let result: [Admitted<User>, Target]
    try {
      result = await this.#admit(connection, req, kind, parseTarget)
    } catch (error) {
      answerProblemAndClose(socket, this.turnAway(error))
      return null
    }
    const [{ exchange }] = result
    exchange.signal.addEventListener('abort', () => {
      if (exchange.status === null) answerProblemAndClose(socket, this.tell(exchange))
      else abort(socket)
    })
    return result
  }

  async #admit<Target extends ProxyTarget>(
    connection: ClientConnection<User>,
    req: IncomingMessage,
    kind: ExchangeKind,
    parseTarget: () => Target,
  ): Promise<[Admitted<User>, Target]> {
    if (kind !== 'request') checkHead(req, kind, this.#limits.maxHeaders)
    const identity = await this.admission.identify(connection, 'http', parseBasic(req.headers['proxy-authorization']))
    const target = parseTarget()
    return [this.admission.admit(connection, identity, { kind, target, headers: req.headers }), target]
  }

  #way(exchange: Exchange<User>, upstream: Duplex, target: AbsoluteTarget): Forwarding<User> {
    const { maxHeaderBytes, maxHeaders } = this.#limits
    return { exchange, upstream, target, maxHeaderBytes, maxHeaders, onAnswer: this.#options.onAnswer }
  }

  #end(exchange: Exchange<User>): void {
    const summary = this.registry.close(exchange)
    if (summary) this.#options.onClose?.(summary)
  }
}

function objectionTo(check: () => void): unknown {
  try {
    check()
    return null
  } catch (error) {
    return error
  }
}

function clientFailure(code: string): Failure {
  if (code === 'HPE_HEADER_OVERFLOW') return { code: 'head_too_large', detail: 'The request head is too large.' }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return { code: 'request_timeout', detail: 'The request head did not arrive in time.' }
  return { code: 'bad_request', detail: `This is not a valid HTTP/1.1 request (${code}).` }
}
