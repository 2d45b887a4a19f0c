import type { ServerHttp2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'
import { tunnelDetailHeader, tunnelErrorHeader } from '@mobilepool/sdk/contract'
import {
  failureOf,
  type ProxyCounters,
  ProxyError,
  type ProxyTarget,
  parseConnectTarget,
  type RefusalCode,
  replyStatuses,
  splice,
} from '@mobilepool/sdk/proxy-server'
import { TunnelStream } from '@mobilepool/sdk/tunnel'
import type { Egress } from '../egress/egress.ts'

/** As the local proxy's; the hub has a limit of its own, and below it. */
const MAX_CONNECTIONS = 4_096
/** Longer than the local proxy waits, so that what it would say is said here, too. */
const CONNECT_TIMEOUT_MS = 30_000

const refusals: Record<RefusalCode, string> = {
  draining: 'The device is about to change its address.',
  offline: 'The device has no network now.',
  egress_leak: "Traffic would leave by another interface than the device's own, so none is let through.",
}

/** One connection that the hub has asked for. */
interface Exit {
  cut(): void
}

/**
 * What the hub's connections do on the device: the same egress as the local proxy's, under the same gate. A target's refusal is carried back
 * as what it is, by code.
 */
export class TunnelExits {
  readonly #egress: Pick<Egress, 'open'>
  readonly #active = new Set<Exit>()
  readonly #counters: Pick<ProxyCounters, 'bytesUp' | 'bytesDown'> = { bytesUp: 0, bytesDown: 0 }
  #refusal: RefusalCode | null = null
  #emptied: (() => void)[] = []

  constructor(egress: Pick<Egress, 'open'>) {
    this.#egress = egress
  }

  get activeCount(): number {
    return this.#active.size
  }

  /** Payload since the start. */
  get counters(): Readonly<Pick<ProxyCounters, 'bytesUp' | 'bytesDown'>> {
    return this.#counters
  }

  refuse(code: RefusalCode): void {
    this.#refusal = code
  }

  accept(): void {
    this.#refusal = null
  }

  /** Resolves when nothing is under way. */
  async drained(): Promise<void> {
    if (this.#active.size > 0) await new Promise<void>((resolve) => this.#emptied.push(resolve))
  }

  /** Cuts everything under way, and returns how many that were. */
  destroyConnections(): number {
    const all = [...this.#active]
    for (const exit of all) exit.cut()
    return all.length
  }

  /** Serves one CONNECT. */
  async serve(stream: ServerHttp2Stream, authority: string): Promise<void> {
    const gone = new AbortController()
    const giveUp = (): void => gone.abort(new ProxyError('client_gone', 'The hub gave the connection up.'))
    stream.once('close', giveUp)
    const timer = setTimeout(
      () => gone.abort(new ProxyError('connect_timeout', `The target accepted no connection within ${CONNECT_TIMEOUT_MS} ms.`)),
      CONNECT_TIMEOUT_MS,
    )
    const exit: Exit = { cut: () => gone.abort(new ProxyError('draining', refusals.draining)) }
    try {
      const target = this.#admit(authority)
      this.#active.add(exit)
      stream.once('close', () => this.#leave(exit))
      const upstream = await this.#open(target, gone.signal)
      stream.off('close', giveUp)
      exit.cut = () => {
        stream.destroy(new Error('cut'))
        upstream.destroy(new Error('cut'))
      }
      stream.respond({ ':status': 200 })
      splice(new TunnelStream(stream), upstream, {
        up: (bytes) => {
          this.#counters.bytesUp += bytes
        },
        down: (bytes) => {
          this.#counters.bytesDown += bytes
        },
      })
    } catch (error) {
      answer(stream, error)
    } finally {
      clearTimeout(timer)
    }
  }

  #admit(authority: string): ProxyTarget {
    if (this.#refusal) throw new ProxyError(this.#refusal, refusals[this.#refusal])
    if (this.#active.size >= MAX_CONNECTIONS)
      throw new ProxyError('too_many_connections', `More than ${MAX_CONNECTIONS} connections go through the device.`)
    return parseConnectTarget(authority)
  }

  /** A name server cannot be told to stop: what comes after the signal is closed. */
  #open(target: ProxyTarget, signal: AbortSignal): Promise<Duplex> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => reject(signal.reason)
      signal.addEventListener('abort', onAbort)
      this.#egress.open(target, 'parser', signal).then((upstream) => {
        signal.removeEventListener('abort', onAbort)
        if (signal.aborted) upstream.on('error', () => {}).destroy()
        else if (upstream.destroyed) reject(Object.assign(new Error('connected and lost'), { code: 'ECONNRESET' }))
        else resolve(upstream)
      }, reject)
    })
  }

  #leave(exit: Exit): void {
    this.#active.delete(exit)
    if (this.#active.size > 0) return
    for (const tell of this.#emptied) tell()
    this.#emptied = []
  }
}

function answer(stream: ServerHttp2Stream, error: unknown): void {
  if (stream.destroyed || stream.headersSent) return
  const { code, detail } = failureOf(error)
  const headers = { ':status': replyStatuses[code].status, [tunnelErrorHeader]: code, [tunnelDetailHeader]: encodeURIComponent(detail) }
  stream.respond(headers, { endStream: true })
  // What the hub has sent already must be read, or the stream never ends.
  stream.resume()
}
