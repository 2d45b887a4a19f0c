import type { Attempt } from './attempt.ts'
import { exposeRawAttempt } from './expose-attempt.ts'
import type { DispatchController, DispatchHandler, ResponseHeaders } from './handlers.ts'

/**
 * What a caller sees of his request, whichever connection is the live one: the controller that his handler holds, and what passes
 * through to that handler as it comes.
 */
export abstract class CallerSide implements DispatchController {
  abstract readonly order: number
  abstract readonly attempts: readonly Attempt[]
  rawTrailers: unknown = null
  protected readonly handler: DispatchHandler
  /** The attempt whose bytes pass, or will. */
  protected live: Attempt | null = null
  protected abortedWith: Error | null = null
  #rawHeaders: unknown = null
  /** Whose response the raw headers are to tell of, as soon as somebody asks for them. */
  #exposed: Attempt | null = null
  #isPaused: boolean = false

  constructor(handler: DispatchHandler) {
    this.handler = handler
  }

  // ---- the caller's controller ----

  abstract abort(reason?: Error): void

  get aborted(): boolean {
    return this.abortedWith !== null
  }

  get reason(): Error | null {
    return this.abortedWith
  }

  /** Few handlers look at them, so what the pool adds to them is added when one does. */
  get rawHeaders(): unknown {
    if (this.#exposed !== null) this.#rawHeaders = exposeRawAttempt(this.#exposed, this.attempts.length, this.order, this.#rawHeaders)
    this.#exposed = null
    return this.#rawHeaders
  }

  set rawHeaders(headers: unknown) {
    this.#exposed = null
    this.#rawHeaders = headers
  }

  get paused(): boolean {
    return this.#isPaused
  }

  pause(): void {
    this.#isPaused = true
    this.live?.pause()
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.live?.resume()
  }

  // ---- what passes through ----

  get isPaused(): boolean {
    return this.#isPaused
  }

  get isAborted(): boolean {
    return this.abortedWith !== null
  }

  onInformation(controller: DispatchController, statusCode: number, headers: ResponseHeaders, statusMessage?: string): void {
    this.rawHeaders = controller.rawHeaders
    this.handler.onResponseStart?.(this, statusCode, headers, statusMessage)
  }

  onData(chunk: Buffer): void {
    this.handler.onResponseData?.(this, chunk)
  }

  onResponseStarted(): void {
    this.handler.onResponseStarted?.()
  }

  onBodySent(chunk: Buffer): void {
    this.handler.onBodySent?.(chunk)
  }

  onRequestSent(): void {
    this.handler.onRequestSent?.()
  }

  /** The raw headers that the handler may ask for are those of this attempt, and tell of it. */
  protected showRaw(attempt: Attempt): void {
    this.#exposed = attempt
  }
}
