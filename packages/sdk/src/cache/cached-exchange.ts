/// <reference path="../dispatch/undici-deep.d.ts" />
import { RequestAbortedError } from 'undici/lib/core/errors.js'
import type { DispatchController, DispatchHandler, DispatchOptions, ResponseHeaders } from '../dispatch/handlers.ts'
import { lowerCaseHeaders, withHeaders } from '../dispatch/request-headers.ts'
import { toError } from '../dispatch/to-error.ts'
import type { AttemptKind } from '../errors.ts'

export type Send = (options: DispatchOptions, handler: DispatchHandler) => void
/** Where an answer came from. */
export type AnswerSource = 'stored' | 'revalidated' | 'device'
/** undici's cache interceptor. */
export type Intercept = (
  dispatch: (options: DispatchOptions, handler: DispatchHandler) => boolean,
) => (options: DispatchOptions, handler: DispatchHandler) => unknown

/**
 * One request that the cache may answer. It stands on both sides of undici's interceptor: before it as the handler, and behind it,
 * where the interceptor turns to the pool.
 *
 * It is also the controller that the caller holds, whoever answers: undici tells the caller's handler of a revalidation only when that is
 * answered, so that an abort would not reach a device that hangs. And what goes to the target has the caller's headers as they were
 * written: the interceptor makes all names lower case.
 */
export class CachedExchange implements DispatchHandler, DispatchController {
  /** The answer that comes is a proper one: no ban, no device's own error page. */
  isProper: boolean = false
  /** Whose answer the caller gets: the cache's alone, the cache's after a device has asked whether it still holds, a device's. */
  #source: AnswerSource = 'stored'
  readonly #onAnswer: (source: AnswerSource) => void
  readonly #send: Send
  readonly #options: DispatchOptions
  readonly #handler: DispatchHandler
  /** Who answers at the moment: a request to the pool, or the stream of a cached body. */
  #live: DispatchController | null = null
  #reason: Error | null = null
  #isPaused: boolean = false
  #hasHead: boolean = false
  #isOver: boolean = false

  /** `onAnswer`: the caller gets an answer, of which this is the source. */
  constructor(send: Send, options: DispatchOptions, handler: DispatchHandler, onAnswer: (source: AnswerSource) => void) {
    this.#onAnswer = onAnswer
    this.#send = send
    this.#options = options
    this.#handler = handler
  }

  start(intercept: Intercept): void {
    const { headers } = this.#options
    try {
      this.#handler.onRequestStart?.(this, null)
      if (this.#isOver) return
      const dispatch = intercept((options, handler) => {
        this.#askPool(options, handler)
        return true
      })
      void dispatch({ ...this.#options, headers: lowerCaseHeaders(headers) }, this)
    } catch (error) {
      this.#fail(toError(error))
    }
  }

  // ---- the caller's controller ----

  get aborted(): boolean {
    return this.#reason !== null
  }

  get paused(): boolean {
    return this.#isPaused
  }

  get reason(): Error | null {
    return this.#reason
  }

  get rawHeaders(): unknown {
    return this.#live?.rawHeaders
  }

  get rawTrailers(): unknown {
    return this.#live?.rawTrailers
  }

  abort(reason?: Error): void {
    if (this.#isOver || this.#reason !== null) return
    this.#reason = reason ?? new RequestAbortedError()
    this.#live?.abort(this.#reason)
    this.#fail(this.#reason)
  }

  pause(): void {
    this.#isPaused = true
    this.#live?.pause()
  }

  resume(): void {
    this.#isPaused = false
    this.#live?.resume()
  }

  // ---- what the interceptor says ----

  onRequestStart(controller: DispatchController): void {
    if (controller === this.#live) return
    this.#live = controller
    if (this.#reason !== null) controller.abort(this.#reason)
    else if (this.#isPaused) controller.pause()
  }

  onResponseStart(_controller: DispatchController, statusCode: number, headers: ResponseHeaders, statusMessage?: string): void {
    if (this.#isOver) return
    if (statusCode >= 200) {
      this.#hasHead = true
      this.#onAnswer(this.#source)
    }
    this.#handler.onResponseStart?.(this, statusCode, headers, statusMessage)
  }

  onResponseData(_controller: DispatchController, chunk: Buffer): void {
    if (!this.#isOver) this.#handler.onResponseData?.(this, chunk)
  }

  onResponseEnd(_controller: DispatchController, trailers: ResponseHeaders): void {
    if (this.#isOver) return
    this.#isOver = true
    try {
      this.#handler.onResponseEnd?.(this, trailers)
    } catch (error) {
      // As from undici itself: the handler hears of what it has thrown, also where it was told the last that there is.
      this.#handler.onResponseError?.(this, toError(error))
    }
  }

  onResponseError(_controller: DispatchController | null, error: Error): void {
    this.#fail(error)
  }

  // ---- inside ----

  #askPool(options: DispatchOptions, handler: DispatchHandler): void {
    if (this.#reason !== null) return
    const { headers } = this.#options
    const validators = validatorsOf(options.headers, headers)
    if (!this.#hasHead) this.#source = 'device'
    this.#send(
      { ...this.#options, headers: validators === null ? headers : withHeaders(headers, validators) },
      {
        onRequestStart: (controller, context) => {
          // A revalidation in the background is none of the caller's business: he has his answer.
          if (!this.#hasHead) this.onRequestStart(controller)
          handler.onRequestStart?.(controller, context)
        },
        onPoolVerdict: (kind: AttemptKind) => {
          this.isProper = kind === 'answered'
        },
        onResponseStart: (...head) => {
          if (validators !== null && head[1] === 304 && !this.#hasHead) this.#source = 'revalidated'
          handler.onResponseStart?.(...head)
        },
        onResponseData: (...data) => handler.onResponseData?.(...data),
        onResponseEnd: (...end) => handler.onResponseEnd?.(...end),
        onResponseError: (...failure) => handler.onResponseError?.(...failure),
        onResponseStarted: () => this.#handler.onResponseStarted?.(),
        onBodySent: (chunk) => this.#handler.onBodySent?.(chunk),
        onRequestSent: () => this.#handler.onRequestSent?.(),
      },
    )
  }

  #fail(error: Error): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#handler.onResponseError?.(this, error)
  }
}

/** The conditional headers that the interceptor has added; null: none. */
function validatorsOf(asked: unknown, original: unknown): Record<string, string> | null {
  const [now, before] = [asked as Record<string, string>, lowerCaseHeaders(original)]
  const added: Record<string, string> = {}
  for (const name of ['if-none-match', 'if-modified-since']) {
    const value = now[name]
    if (value !== undefined && value !== before[name]) added[name] = value
  }
  return Object.keys(added).length === 0 ? null : added
}
