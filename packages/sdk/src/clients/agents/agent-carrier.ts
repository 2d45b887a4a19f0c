import type { ClientRequest, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { ConnectionOptions } from 'node:tls'

import type { Path, PathReuse, PathTarget } from '../../dispatch/path.ts'
import { MobilePoolError } from '../../errors.ts'
import { toAbsoluteForm } from './absolute-form.ts'
import { KeptConnections } from './kept-connections.ts'
import { upgradeToTls } from './request-tls.ts'

/** What Node gives an agent with a request: the request's own options, which may hold TLS options. */
export interface AgentRequestOptions extends ConnectionOptions {
  readonly host?: string
  readonly port?: number
  readonly headers?: unknown
}

export interface AgentSettings {
  readonly requestTls: ConnectionOptions
  /** How long an idle connection is kept, ms, unless the server says less. */
  readonly idleMs: number
}

/** Opens a path for a request that begins now: with the view that the agent stands for, and that of the `pool.run` around the request. */
export type OpensPath = (target: PathTarget, signal: AbortSignal, reuse: PathReuse) => Promise<Path>

/** Idle connections of one agent through one device. */
const MAX_IDLE_PER_DEVICE = 16
/** Node's own agents stop this long before a server's announced time-out, so that the two do not cross on the way. */
const HINT_MARGIN_MS = 1_000

/**
 * Carries the requests of one agent: a device for each, an idle connection of that device or a new one, TLS where it is https. What fails
 * before a connection stands goes on to another device, and the client does not notice. Later failures are the client's, and its retries ask for a device again.
 */
export class AgentCarrier {
  readonly #openPath: OpensPath
  readonly #settings: AgentSettings
  readonly #kept = new KeptConnections(MAX_IDLE_PER_DEVICE)
  readonly #inUse = new Set<Path>()
  readonly #waiting = new Set<AbortController>()

  constructor(openPath: OpensPath, settings: AgentSettings) {
    this.#openPath = openPath
    this.#settings = settings
  }

  /** Gives the request a connection, sooner or later, or an error. `leadsTo` tells apart what may not share a connection. */
  carry(request: ClientRequest, options: AgentRequestOptions, isTls: boolean, leadsTo: string): void {
    const hostname = (options.host ?? 'localhost').replace(/^\[|\]$/g, '')
    const port = Number(options.port) || (isTls ? 443 : 80)
    // An upgraded connection is the client's own: only a tunnel is.
    const isPlainHttp = !isTls && request.method !== 'CONNECT' && !asksForUpgrade(request, options)
    const target: PathTarget = {
      hostname,
      port,
      isPlainHttp,
      ...(isTls ? { upgrade: upgradeToTls(options.servername || hostname, options, this.#settings.requestTls) } : {}),
    }
    const abort = new AbortController()
    const stopWatching = this.#watch(request, abort)
    const reuse = (deviceId: string): Path | undefined =>
      (isPlainHttp ? this.#kept.take(deviceId, 'proxy') : undefined) ?? this.#kept.take(deviceId, leadsTo)

    this.#openPath(target, abort.signal, reuse).then(
      (path) => {
        stopWatching()
        this.#hand(path, request, { origin: `http://${originHost(hostname, port)}`, leadsTo: path.isForward ? 'proxy' : leadsTo })
      },
      (error: Error) => {
        stopWatching()
        // Node's types know no request without a socket; this is how its own agents report that there will be none.
        const fail = request.onSocket as unknown as (socket: null, error: Error | null) => void
        fail.call(request, null, request.destroyed ? null : error)
      },
    )
  }

  /** Ends every connection, and what waits for one. */
  destroy(): void {
    for (const abort of this.#waiting) abort.abort(new Error('the agent was destroyed'))
    for (const path of this.#inUse) {
      path.conclude('aborted')
      path.socket.destroy()
    }
    this.#kept.close()
  }

  /**
   * `ClientRequest.destroy()` and its `timeout` work on a socket. While there is none, an abort would only be noticed when the connection
   * stands, which a hanging device puts off, and the time-out not at all.
   */
  #watch(request: ClientRequest, abort: AbortController): () => void {
    this.#waiting.add(abort)
    const { destroy } = request
    request.destroy = (error) => {
      destroy.call(request, error)
      abort.abort(error ?? new Error('the request was destroyed'))
      return request
    }
    const { timeout } = request as ClientRequest & { timeout?: number }
    const timer = timeout ? setTimeout(() => request.emit('timeout'), timeout) : undefined
    return () => {
      this.#waiting.delete(abort)
      clearTimeout(timer)
      request.destroy = destroy
    }
  }

  #hand(path: Path, request: ClientRequest, { origin, leadsTo }: { origin: string; leadsTo: string }): void {
    const socket = path.socket as Socket
    this.#inUse.add(path)
    let response: IncomingMessage | null = null
    const onResponse = (message: IncomingMessage): void => {
      response = message
    }
    path.onCut = (reason) => {
      if (response !== null) return
      path.conclude('aborted')
      socket.destroy(reason)
    }
    const leave = (): void => {
      this.#inUse.delete(path)
      path.onCut = null
      request.off('response', onResponse)
      socket.off('free', onFree).off('close', onClose).off('agentRemove', onUpgrade)
    }
    const onClose = (): void => {
      leave()
      if (isRotated(socket.errored)) path.conclude('rotated')
      else if (response === null) path.conclude(request.destroyed && !request.errored ? 'aborted' : 'no_response')
      else path.conclude(response.complete || request.destroyed ? 'answered' : 'response_broken')
      path.release()
    }
    const onUpgrade = (): void => {
      leave()
      path.conclude('answered')
    }
    const onFree = (): void => {
      leave()
      if (response !== null) path.conclude('answered')
      detach(socket)
      if (socket.destroyed || !socket.writable) socket.destroy()
      else this.#kept.keep(path, leadsTo, idleTime(response, this.#settings.idleMs))
      // Only now: the place goes to the next in the queue at once, who may want this very connection.
      path.release()
    }
    socket.on('free', onFree).prependListener('close', onClose).on('agentRemove', onUpgrade)
    request.prependListener('response', onResponse)

    if (path.isForward) toAbsoluteForm(request, origin, path.authorization)
    request.reusedSocket = path.isReused
    const { timeout } = request as ClientRequest & { timeout?: number }
    socket.setTimeout(timeout ?? 0)
    request.onSocket(socket)
  }
}

/** The grace of a rotation was over: no fault of the device. */
const isRotated = (error: Error | null): boolean => error instanceof MobilePoolError && error.code === 'MP_DEVICE_ROTATED'

/** What Node's own agents do with a socket between two requests. */
function detach(socket: Socket): void {
  Object.assign(socket, { _httpMessage: null })
  socket.setTimeout(0)
}

/** As long as the server says that it keeps it (`Keep-Alive: timeout=5`), at most as long as we do. */
function idleTime(response: IncomingMessage | null, idleMs: number): number {
  const hint = /\btimeout=(\d{1,6})/i.exec(String(response?.headers['keep-alive'] ?? ''))?.[1]
  return hint === undefined ? idleMs : Math.max(0, Math.min(idleMs, Number(hint) * 1_000 - HINT_MARGIN_MS))
}

/** Headers given as a list are in the head already, and `getHeader` does not know them. */
function asksForUpgrade(request: ClientRequest, { headers }: AgentRequestOptions): boolean {
  if (request.hasHeader('upgrade')) return true
  return Array.isArray(headers) && headers.flat().some((item) => String(item).toLowerCase() === 'upgrade')
}

const originHost = (hostname: string, port: number): string =>
  `${hostname.includes(':') ? `[${hostname}]` : hostname}${port === 80 ? '' : `:${port}`}`
