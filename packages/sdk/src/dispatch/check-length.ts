import type { Duplex } from 'node:stream'
import type { DispatchController, DispatchHandler, ResponseHeaders } from './handlers.ts'

/**
 * A handler that does not take a part of a body for all of it: a response that ends before its `content-length` is an error
 * (RFC 9113, 8.1.1). In HTTP/1.1 undici's parser sees to that, in HTTP/2 nobody does.
 */
export class LengthChecked implements DispatchHandler {
  readonly #inner: DispatchHandler
  readonly #isBodiless: boolean
  /** Bytes that are still to come; null: it was not said how many. */
  #left: number | null = null

  constructor(inner: DispatchHandler, method: string) {
    this.#inner = inner
    this.#isBodiless = method === 'HEAD'
  }

  onRequestStart(controller: DispatchController, context: unknown): void {
    this.#inner.onRequestStart?.(controller, context)
  }

  onRequestUpgrade(controller: DispatchController, statusCode: number, headers: ResponseHeaders, socket: Duplex): void {
    this.#inner.onRequestUpgrade?.(controller, statusCode, headers, socket)
  }

  onResponseStarted(): void {
    this.#inner.onResponseStarted?.()
  }

  onResponseStart(controller: DispatchController, statusCode: number, headers: ResponseHeaders, statusMessage?: string): void {
    const length = headers['content-length']
    const hasBody = !this.#isBodiless && statusCode >= 200 && statusCode !== 204 && statusCode !== 304
    this.#left = hasBody && typeof length === 'string' && /^\d+$/.test(length) ? Number(length) : null
    this.#inner.onResponseStart?.(controller, statusCode, headers, statusMessage)
  }

  onResponseData(controller: DispatchController, chunk: Buffer): void {
    if (this.#left !== null) this.#left -= chunk.length
    this.#inner.onResponseData?.(controller, chunk)
  }

  onResponseEnd(controller: DispatchController, trailers: ResponseHeaders): void {
    if (this.#left === null || this.#left === 0) this.#inner.onResponseEnd?.(controller, trailers)
    else {
      const what = this.#left > 0 ? `${this.#left} bytes too early` : `${-this.#left} bytes too late`
      const error = new Error(`the response ended ${what} for its content-length`)
      this.#inner.onResponseError?.(controller, Object.assign(error, { code: 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH' }))
    }
  }

  onResponseError(controller: DispatchController | null, error: Error): void {
    this.#inner.onResponseError?.(controller, error)
  }

  onBodySent(chunk: Buffer): void {
    this.#inner.onBodySent?.(chunk)
  }

  onRequestSent(): void {
    this.#inner.onRequestSent?.()
  }
}
