import { Agent, request } from 'undici'
import { AgentError } from '../errors.ts'

/** Modems' pages answer with a few kilobytes. */
const MAX_ANSWER_BYTES = 64 * 1024

/** One request to a device's web page. */
export interface DeviceRequest {
  readonly method: 'GET' | 'POST'
  /** Path and query, from the root. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** What it answered, whatever the status. */
export interface DeviceAnswer {
  readonly status: number
  /** By lower-case name; several of one name are joined by `, `. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly text: string
}

/**
 * HTTP to a device that is reached by an interface of this host. Each request is a connection of its own, from the address that the
 * interface has then: a rotation leaves no dead one behind.
 */
export class DeviceHttp {
  readonly #origin: string
  readonly #timeoutMs: number
  readonly #localAddress: (() => string | null) | undefined

  /**
   * @param parts `timeoutMs` bounds one request, from dialling to the last byte; `localAddress` is the address to dial from, the host's own
   * choice when it is left out
   */
  constructor(parts: { readonly origin: string; readonly timeoutMs: number; readonly localAddress?: () => string | null }) {
    this.#origin = parts.origin
    this.#timeoutMs = parts.timeoutMs
    this.#localAddress = parts.localAddress
  }

  /** Throws `device_unreachable`, without the path or what was sent (its cause is a `TimeoutError` when time was over), or the signal's reason. */
  async send({ method, path, headers = {}, body }: DeviceRequest, signal: AbortSignal): Promise<DeviceAnswer> {
    signal.throwIfAborted()
    const localAddress = this.#localAddress?.()
    if (localAddress === null) throw new AgentError('device_unreachable', 'The interface of the device has no address.')
    const timeout = AbortSignal.timeout(this.#timeoutMs)
    const agent = new Agent({
      ...(localAddress === undefined ? {} : { localAddress }),
      connect: { timeout: this.#timeoutMs },
      maxResponseSize: MAX_ANSWER_BYTES,
    })
    try {
      const answer = await request(this.#origin + path, {
        method,
        headers,
        body: body ?? null,
        dispatcher: agent,
        signal: AbortSignal.any([signal, timeout]),
      })
      const text = await answer.body.text()
      const flat = Object.entries(answer.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')])
      return { status: answer.statusCode, headers: Object.fromEntries(flat), text }
    } catch (error) {
      if (signal.aborted) throw signal.reason
      if (timeout.aborted)
        throw new AgentError('device_unreachable', `${this.#origin} did not answer within ${this.#timeoutMs} ms.`, {
          cause: timeout.reason,
        })
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'failed'
      throw new AgentError('device_unreachable', `${this.#origin} cannot be reached (${code}).`, { cause: error })
    } finally {
      await agent.destroy()
    }
  }
}
