/// <reference path="./undici-deep.d.ts" />
import { AsyncResource } from 'node:async_hooks'
import type { Duplex } from 'node:stream'
import { RequestAbortedError } from 'undici/lib/core/errors.js'
import type { BanMatch } from '../bans/ban-rule.ts'
import { BanRules } from '../bans/ban-rules.ts'
import type { BodyTest } from '../bans/body-test.ts'
import type { Device } from '../core/device.ts'
import { readRetryAfter } from '../core/retry-after.ts'
import { attemptsAreLeft, mayRepeat, type RepeatFacts } from '../core/retry-rules.ts'
import type { View } from '../core/view.ts'
import { type AttemptKind, type AttemptReport, MobilePoolError } from '../errors.ts'
import { Attempt, type AttemptOwner } from './attempt.ts'
import { brokenResponseError, deviceWordError, finalError, noResponseError, withAttempts } from './attempt-errors.ts'
import { classifyError } from './classify-error.ts'
import { classifyResponse } from './classify-response.ts'
import type { Deadlines } from './deadlines.ts'
import type { Errand } from './errand.ts'
import { exposeAttempt, exposeRawAttempt } from './expose-attempt.ts'
import type { DispatchController, DispatchHandler, DispatchOptions, ResponseHeaders } from './handlers.ts'
import type { Hedge } from './hedge.ts'
import type { ResponseHead } from './held-response.ts'
import { isBreach } from './no-device-errors.ts'
import { bodyLength, bufferBody, isReplayable, isWorthBuffering } from './replay-body.ts'
import { headerValue } from './request-headers.ts'
import type { RequestOutcome, RunHost } from './run-host.ts'
import type { Target } from './target.ts'

const NO_DEVICES: readonly Device[] = []
const NO_ATTEMPTS: readonly Attempt[] = []

/**
 * One request of the caller's, on as many devices as it takes. It is the controller that the caller's handler holds, whichever
 * connection is the live one; the handler sees nothing but `onRequestStart` until one attempt's response is delivered,
 * and from then on the request is never repeated.
 */
export class RequestRun implements DispatchController, AttemptOwner, Errand {
  readonly site: string
  readonly order: number
  /** Milliseconds since 1970. */
  readonly startedAt: number
  readonly target: Target
  readonly view: View
  tried: readonly Device[] = NO_DEVICES
  rawTrailers: unknown = null
  options: DispatchOptions
  readonly #host: RunHost
  readonly #handler: DispatchHandler
  #attempts: readonly Attempt[] = NO_ATTEMPTS
  #rawHeaders: unknown = null
  /** Whose response the raw headers are to tell of, as soon as somebody asks for them. */
  #exposed: Attempt | null = null
  #isReplayable: boolean
  #isPaused: boolean = false
  #reason: Error | null = null
  #isSettled: boolean = false
  #live: Attempt | null = null
  #hedge: Hedge<RequestRun> | null = null
  #lastError: Error | null = null
  /** After a response was given up: the end of it all, or null to ask for another device. */
  #stopWith: Error | null = null
  /** Keeps the caller's async context (AsyncLocalStorage, tracing) while the request waits in the queue. */
  #context: AsyncResource | null = null

  constructor(host: RunHost, options: DispatchOptions, handler: DispatchHandler, target: Target, order: number, view: View) {
    this.#host = host
    this.options = options
    this.#handler = handler
    this.target = target
    this.view = view
    this.order = order
    this.site = host.siteOf(target.hostname)
    this.startedAt = host.now()
    this.#isReplayable = isReplayable(options.body)
  }

  // ---- the caller's controller ----

  get aborted(): boolean {
    return this.#reason !== null
  }

  get reason(): Error | null {
    return this.#reason
  }

  /** Few handlers look at them, so what the pool adds to them is added when one does. */
  get rawHeaders(): unknown {
    if (this.#exposed !== null) this.#rawHeaders = exposeRawAttempt(this.#exposed, this.#attempts.length, this.order, this.#rawHeaders)
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
    this.#live?.pause()
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#live?.resume()
  }

  abort(reason?: Error): void {
    if (this.#reason !== null || this.#isSettled) return
    this.#reason = reason ?? new RequestAbortedError()
    this.#hedge?.cancel(this.#reason)
    if (this.#live?.abort(this.#reason)) return
    this.#live?.conclude('aborted', 'connect')
    this.#host.withdraw(this)
    this.#fail(this.#reason)
  }

  cut(reason: Error): void {
    if (this.#live?.isDelivering !== true) this.abort(reason)
  }

  // ---- its way ----

  /** Begins. The caller's handler is told at once, so that an abort reaches the request while it waits or connects. */
  start(): void {
    try {
      this.#handler.onRequestStart?.(this, null)
    } catch (error) {
      this.fail(toError(error))
      return
    }
    if (this.#isSettled || this.#reason !== null) return
    const { body, headers } = this.options
    if (this.#isReplayable || !isWorthBuffering(body, headers, this.#host.retry.maxReplayBytes)) {
      this.#host.admit(this)
      return
    }
    bufferBody(body, () => !this.#isSettled).then(
      (buffered) => {
        if (this.#isSettled || buffered === undefined) return
        this.options = { ...this.options, body: buffered }
        this.#isReplayable = true
        this.#host.admit(this)
      },
      (error) => this.fail(toError(error)),
    )
  }

  /** It has to wait. */
  queued(): void {
    this.#context ??= new AsyncResource('MOBILEPOOL_QUEUE')
  }

  /** A device is its own now. */
  assigned(device: Device): void {
    if (this.#context === null) this.#attempt(device)
    else this.#context.runInAsyncScope(() => this.#attempt(device))
  }

  /** No device will come. What the last attempt met says more than that there is no other device. */
  refused(error: MobilePoolError): void {
    this.fail(this.#lastError === null || isBreach(error) ? withAttempts(error, this.reports) : this.#final(this.#lastError))
  }

  /** Ends it with this error. */
  fail(error: Error): void {
    if (this.#context === null) this.#fail(error)
    else this.#context.runInAsyncScope(() => this.#fail(error))
  }

  /** What its attempts came to so far. */
  get reports(): AttemptReport[] {
    return this.#attempts.map((attempt) => attempt.report)
  }

  get attempts(): readonly Attempt[] {
    return this.#attempts
  }

  // ---- its attempt's owner ----

  get deadlines(): Deadlines {
    return this.#host.deadlines
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  get isAborted(): boolean {
    return this.#reason !== null
  }

  get abortReason(): Error {
    return this.#reason ?? new RequestAbortedError()
  }

  get firstByteTimeoutMs(): number {
    return this.options.headersTimeout ?? this.#host.firstByteTimeoutMs
  }

  get bodyBytes(): number {
    const { body, headers } = this.options
    return bodyLength(body) ?? (Number(headerValue(headers, 'content-length')) || 0)
  }

  get bodyTimeoutMs(): number {
    return this.options.bodyTimeout ?? this.#host.bodyTimeoutMs
  }

  now(): number {
    return this.#host.now()
  }

  onHead(attempt: Attempt, statusCode: number, headers: ResponseHeaders): 'deliver' | 'give_up' | BodyTest {
    const { options, target } = this
    const request = {
      method: options.method,
      hostname: target.hostname,
      isAbsoluteForm: attempt.isAbsoluteForm,
    }
    const rules = this.view.ignoresBans ? { ...this.#host.rules, bans: NO_BANS } : this.#host.rules
    const { kind, isUnforwarded, match, bodyTest } = classifyResponse(statusCode, headers, request, rules)
    attempt.conclude(kind, 'response', match === null ? { statusCode } : { statusCode, ...ruleOf(match) })
    return bodyTest ?? this.#weigh(attempt, match, headers, isUnforwarded)
  }

  onTested(attempt: Attempt, match: BanMatch | null, { statusCode, headers }: ResponseHead): 'deliver' | 'give_up' {
    if (match !== null) attempt.conclude('banned', 'body', { statusCode, ...ruleOf(match) })
    return this.#weigh(attempt, match, headers, false)
  }

  onGivenUp(): void {
    this.#live = null
    if (this.#stopWith === null) this.#host.admit(this)
    else this.fail(this.#final(this.#stopWith))
  }

  onDelivery(attempt: Attempt, controller: DispatchController, { statusCode, headers, statusMessage }: ResponseHead): void {
    this.#host.noteDelivery(this, attempt)
    this.#judge(attempt.kind === 'answered' ? attempt.device : null)
    this.rawHeaders = controller.rawHeaders
    if (this.#host.exposeHeaders) {
      exposeAttempt(attempt, this.#attempts.length, this.order, headers)
      this.#exposed = attempt
    }
    this.#handler.onPoolVerdict?.(attempt.kind)
    this.#handler.onResponseStart?.(this, statusCode, headers, statusMessage)
  }

  onUpgrade(attempt: Attempt, controller: DispatchController, statusCode: number, headers: ResponseHeaders, socket: Duplex): void {
    attempt.conclude('answered', 'response', { statusCode })
    this.#judge(attempt.device)
    this.rawHeaders = controller.rawHeaders
    this.#settle('answered')
    this.#handler.onRequestUpgrade?.(this, statusCode, headers, socket)
  }

  onInformation(controller: DispatchController, statusCode: number, headers: ResponseHeaders, statusMessage?: string): void {
    this.rawHeaders = controller.rawHeaders
    this.#handler.onResponseStart?.(this, statusCode, headers, statusMessage)
  }

  onData(chunk: Buffer): void {
    this.#handler.onResponseData?.(this, chunk)
  }

  onEnd(attempt: Attempt, controller: DispatchController, trailers: ResponseHeaders): void {
    this.rawTrailers = controller.rawTrailers
    if (attempt.kind === 'answered') this.#host.noteComplete(attempt.device)
    this.#settle('answered')
    this.#handler.onResponseEnd?.(this, trailers)
  }

  onFailure(attempt: Attempt, error: Error, match: BanMatch | null): void {
    this.#hedge?.end(null)
    this.#live = null
    if (this.#reason !== null) {
      attempt.conclude('aborted', attempt.isDelivering ? 'body' : 'request')
      this.#fail(this.#reason)
      return
    }
    if (attempt.isDelivering) {
      this.#breakOff(attempt, error)
      return
    }
    const reached = attempt.wasSent ? 'sent' : 'unsent'
    const { kind, phase, errno } = classifyError(error, reached, attempt.isHeld)
    const details = { ...(errno === undefined ? {} : { errno }), ...statusOf(error) }
    if (kind === 'caller') {
      attempt.conclude(kind, phase, details)
      this.fail(error)
      return
    }
    this.view.sticky?.failed(attempt.device, match === null ? kind : 'banned')
    if (match === null) {
      attempt.conclude(kind, phase, details)
      this.#host.noteAttemptEnd(attempt)
    } else {
      attempt.conclude('banned', 'body', { ...details, rule: match.rule })
      this.#host.noteBan(this, attempt, undefined, attempt.report, match)
    }
    this.#lastError = lastErrorOf(attempt, kind, error)
    if (kind !== 'draining') this.tried = [...this.tried, attempt.device]
    if (this.#mayGoOn(attempt, reached, false)) {
      this.#host.noteRetry(this, attempt.report)
      this.#host.admit(this)
    } else this.fail(this.#final(this.#lastError))
  }

  onResponseStarted(): void {
    this.#handler.onResponseStarted?.()
  }

  onBodySent(chunk: Buffer): void {
    this.#handler.onBodySent?.(chunk)
  }

  onRequestSent(): void {
    this.#handler.onRequestSent?.()
  }

  onRelease(attempt: Attempt): void {
    this.#host.release(attempt.device, this.site)
  }

  // ---- inside ----

  // ---- its hedge ----

  onConnecting(attempt: Attempt): void {
    this.#hedge ??= this.#host.hedge(this, attempt.device)
  }

  onConnected(attempt: Attempt): void {
    this.#hedge?.end(attempt.device)
  }

  moveTo(second: Device, onEnd: (error: Error | null) => void): boolean {
    const first = this.#live
    if (first === null || !first.standAside(onEnd)) return false
    first.conclude('hedged', 'connect')
    this.view.sticky?.taken(second)
    this.exclude(first.device)
    this.#host.noteHedge(this, first.report)
    this.assigned(second)
    return true
  }

  exclude(device: Device): void {
    this.tried = [...this.tried, device]
  }

  #attempt(device: Device): void {
    const attempt = new Attempt(this, device)
    this.#attempts = this.#attempts.length === 0 ? [attempt] : [...this.#attempts, attempt]
    this.#live = attempt
    this.#host.send(this, attempt)
  }

  /** What becomes of a response whose kind is known. */
  #weigh(attempt: Attempt, match: BanMatch | null, headers: ResponseHeaders, isUnforwarded: boolean): 'deliver' | 'give_up' {
    if (attempt.kind === 'answered') return 'deliver'
    const { kind, report } = attempt
    this.view.sticky?.failed(attempt.device, kind)
    if (match === null) this.#host.noteAttemptEnd(attempt)
    else this.#host.noteBan(this, attempt, readRetryAfter(headers['retry-after'], this.now()), report, match)

    const isSitesAnswer = kind === 'banned' || kind === 'target_error'
    this.#lastError = isSitesAnswer ? null : deviceWordError(report)
    if (kind !== 'draining') this.tried = [...this.tried, attempt.device]
    const goesOn = this.#mayGoOn(attempt, isUnforwarded ? 'not_forwarded' : 'sent', isSitesAnswer)
    if (goesOn) this.#host.noteRetry(this, report)
    this.#stopWith = goesOn ? null : this.#lastError
    // The site's own answer is the caller's; what the device's proxy said instead of it is an error.
    return isSitesAnswer && !goesOn ? 'deliver' : 'give_up'
  }

  /**
   * Whether the request goes on to another device. `holdsAnswer`: there is a response that could be delivered instead,
   * so it is given up only when another device is there to ask.
   */
  #mayGoOn(attempt: Attempt, reached: RepeatFacts['reached'], holdsAnswer: boolean): boolean {
    const retry = { ...this.#host.retry, ...this.view.retry }
    const facts: RepeatFacts = {
      reached,
      method: this.options.method,
      isReplayable: this.#isReplayable,
      isDeclaredIdempotent: this.options.idempotent === true || headerValue(this.options.headers, 'idempotency-key') !== undefined,
    }
    if (!mayRepeat(facts, retry.methods)) return false
    if (!attemptsAreLeft(this.#attempts, retry.attempts) || this.now() >= this.startedAt + retry.maxElapsedMs) return false
    if (holdsAnswer && !this.#host.hasHope(this, attempt.kind)) return false
    return reached === 'unsent' || attempt.kind === 'draining' || this.#host.spendRetry()
  }

  /** The response had begun: nothing may be repeated or spliced. */
  #breakOff(attempt: Attempt, cause: Error): void {
    const { kind, errno } = classifyError(cause, 'sent', true)
    const details = errno === undefined ? {} : { errno }
    if (kind === 'caller') {
      attempt.conclude('caller', 'body')
      this.fail(cause)
    } else if (kind === 'rotated' && cause instanceof MobilePoolError) {
      attempt.conclude('rotated', 'body', details)
      this.fail(withAttempts(cause, this.reports))
    } else {
      attempt.conclude('response_broken', 'body', details)
      this.fail(withAttempts(brokenResponseError(attempt, cause), this.reports))
    }
  }

  #final(error: Error): Error {
    return finalError(error, this.target.host, this.reports)
  }

  #judge(servedBy: Device | null): void {
    if (this.#attempts.length > 0) this.#host.judge(this.#attempts, servedBy, this.site)
  }

  #fail(error: Error): void {
    if (this.#isSettled) return
    if (this.#reason === null && this.#live === null) this.#judge(null)
    this.#settle(this.#reason === null ? 'failed' : 'aborted')
    this.#handler.onResponseError?.(this, error)
  }

  #settle(outcome: RequestOutcome): void {
    this.#isSettled = true
    this.#live = null
    this.#host.settled(this, outcome)
  }
}

const toError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)))

const statusOf = (error: Error): { statusCode?: number } =>
  error instanceof MobilePoolError && error.statusCode !== undefined ? { statusCode: error.statusCode } : {}

const ruleOf = (match: BanMatch | null): { rule?: string } => (match === null ? {} : { rule: match.rule })

function lastErrorOf(attempt: Attempt, kind: AttemptKind, error: Error): MobilePoolError {
  if (error instanceof MobilePoolError) return error
  return kind === 'response_broken' ? brokenResponseError(attempt, error) : noResponseError(attempt, error)
}

/** For a view that takes bans as answers. */
const NO_BANS = new BanRules([], { bytes: 0, maxWaitMs: 0, contentTypes: [] })
