import { Readable } from 'node:stream'
import type { DispatchController, DispatchHandler, ResponseHeaders } from '../../dispatch/handlers.ts'
import type { PlainAnswer } from '../../proxy-server/index.ts'
import { proxyErrorOf } from './proxy-error-of.ts'

/** Makes of a dispatched request an answer to read: no faster than its reader, with the site's fields byte for byte. */
export class AnswerReader implements DispatchHandler {
  /** Rejects with what the client is to be told. */
  readonly answer: Promise<PlainAnswer>
  readonly #signal: AbortSignal
  #resolve!: (answer: PlainAnswer) => void
  #reject!: (error: unknown) => void
  #body: Readable | null = null
  #trailers: [string, string][] = []

  /** The request is aborted with the signal. */
  constructor(signal: AbortSignal) {
    this.#signal = signal
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  onRequestStart(controller: DispatchController): void {
    const abort = (): void => controller.abort(this.#signal.reason)
    if (this.#signal.aborted) abort()
    else this.#signal.addEventListener('abort', abort, { once: true })
  }

  onResponseStart(controller: DispatchController, status: number, _headers: ResponseHeaders, reason = ''): void {
    // Interim answers (103) are for whoever is nearer to the site.
    if (status < 200) return
    this.#body = new Readable({
      read: () => controller.resume(),
      destroy: (error, callback) => {
        if (this.#body?.readableEnded !== true) controller.abort(error ?? undefined)
        callback(error)
      },
    })
    this.#resolve({ status, reason, headers: latin1(controller.rawHeaders), body: this.#body, trailers: () => this.#trailers })
  }

  onResponseData(controller: DispatchController, chunk: Buffer): void {
    if (this.#body?.push(chunk) === false) controller.pause()
  }

  onResponseEnd(_controller: DispatchController, trailers: ResponseHeaders): void {
    this.#trailers = Object.entries(trailers).flatMap(([name, value]) => [value ?? []].flat().map((one): [string, string] => [name, one]))
    this.#body?.push(null)
  }

  onResponseError(_controller: DispatchController | null, error: Error): void {
    if (this.#body === null) this.#reject(proxyErrorOf(error))
    else this.#body.destroy(proxyErrorOf(error) as Error)
  }
}

/** Raw fields as strings that Node writes back as the same bytes. */
const latin1 = (rawHeaders: unknown): string[] =>
  Array.isArray(rawHeaders) ? rawHeaders.map((text) => (Buffer.isBuffer(text) ? text.toString('latin1') : String(text))) : []
