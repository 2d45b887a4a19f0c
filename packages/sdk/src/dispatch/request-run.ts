/// <reference path="./undici-deep.d.ts" />
import { AsyncResource } from 'node:async_hooks'
import type { Duplex } from 'node:stream'
import { RequestAbortedError } from 'undici/lib/core/errors.js'
import type { BanMatch } from '../bans/ban-rule.ts'
import { BanRules } from '../bans/ban-rules.ts'
import type { BodyTest } from '../bans/body-test.ts'
import type { Device } from '../core/device.ts'
import { readRetryAfter } from '../core/retry-after.ts'
import { mayRepeatMethod } from '../core/retry-rules.ts'
import type { View } from '../core/view.ts'
import { type AttemptReport, MobilePoolError } from '../errors.ts'
import { Attempt } from './attempt.ts'
import { brokenResponseError, deviceWordError, finalError, lastErrorOf, statusOf, withAttempts } from './attempt-errors.ts'
import type { AttemptOwner } from './attempt-owner.ts'
import { CallerSide } from './caller-side.ts'
import { classifyError } from './classify-error.ts'
import { classifyResponse } from './classify-response.ts'
import type { Deadlines } from './deadlines.ts'
import { statusDetails } from './device-attempt.ts'
import type { Errand } from './errand.ts'
import { exposeAttempt } from './expose-attempt.ts'
import type { DispatchController, DispatchHandler, DispatchOptions, ResponseHeaders } from './handlers.ts'
import type { Hedge } from './hedge.ts'
import type { ResponseHead } from './held-response.ts'
import { mayGoOn } from './may-go-on.ts'
import { isBreach } from './no-device-errors.ts'
import { bodyLength, bufferBody, isReplayable, isWorthBuffering } from './replay-body.ts'
import { headerValue } from './request-headers.ts'
import type { RequestOutcome, RunHost } from './run-host.ts'
import type { Target } from './target.ts'
import { toError } from './to-error.ts'

const NO_DEVICES: readonly Device[] = []
const NO_ATTEMPTS: readonly Attempt[] = []

/**
 * One request of the caller's, on as many devices as it takes: the handler sees nothing but `onRequestStart` until one attempt's
 * response is delivered, and from then on the request is never repeated.
 */
export class RequestRun extends CallerSide implements AttemptOwner, Errand {
  readonly site: string
  readonly order: number
  /** Milliseconds since 1970. */
  readonly startedAt: number
  readonly target: Target
  readonly view: View
  tried: readonly Device[] = NO_DEVICES
  options: DispatchOptions
  attempts: readonly Attempt[] = NO_ATTEMPTS
  place = -1
  isReplayable: boolean
  readonly #host: RunHost
  #isSettled: boolean = false
  #hedge: Hedge<RequestRun> | null = null
  #lastError: Error | null = null
  /** After a response was given up: the end of it all, or null to ask for another device. */
  #stopWith: Error | null = null
  /** Keeps the caller's async context (AsyncLocalStorage, tracing) while the request waits in the queue. */
  #context: AsyncResource | null = null

  constructor(host: RunHost, options: DispatchOptions, handler: DispatchHandler, target: Target, order: number, view: View) {
    super(handler)
    this.#host = host
    this.options = options
    this.target = target
    this.view = view
    this.order = order
    this.site = host.siteOf(target.hostname)
    this.startedAt = host.now()
    this.isReplayable = isReplayable(options.body)
  }

  abort(reason?: Error): void {
    if (this.abortedWith !== null || this.#isSettled) return
    this.abortedWith = reason ?? new RequestAbortedError()
    this.#hedge?.cancel(this.abortedWith)
    if (this.live?.abort(this.abortedWith)) return
    this.live?.conclude('aborted', 'connect')
    this.#host.withdraw(this)
    this.#fail(this.abortedWith)
  }

  cut(reason: Error): void {
    if (this.live?.isDelivering !== true) this.abort(reason)
  }

  // ---- its way ----

  /** Begins. The caller's handler is told at once, so that an abort reaches the request while it waits or connects. */
  start(): void {
    try {
      this.handler.onRequestStart?.(this, null)
    } catch (error) {
      this.fail(toError(error))
      return
    }
    if (this.#isSettled || this.abortedWith !== null) return
    const { body, headers } = this.options
    if (this.isReplayable || !isWorthBuffering(body, headers, this.#host.retry.maxReplayBytes)) {
      this.#host.admit(this)
      return
    }
    bufferBody(body, () => !this.#isSettled).then(
      (buffered) => {
        if (this.#isSettled || buffered === undefined) return
        this.options = { ...this.options, body: buffered }
        this.isReplayable = true
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
    return this.attempts.map((attempt) => attempt.report)
  }

  // ---- its attempt's owner ----

  get deadlines(): Deadlines {
    return this.#host.deadlines
  }

  get abortReason(): Error {
    return this.abortedWith ?? new RequestAbortedError()
  }

  get firstByteTimeoutMs(): number {
    return this.options.headersTimeout ?? this.#host.firstByteTimeoutMs
  }

  get mayBeSentAgain(): boolean {
    if (!this.isReplayable) return false
    const { retry } = this.#host
    const own = this.view.retry
    return (own?.attempts ?? retry.attempts) > 1 && mayRepeatMethod(this.options.method, own?.methods ?? retry.methods)
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
    const rules = this.view.ignoresBans ? { ...this.#host.rules, bans: NO_BANS } : this.#host.rules
    const { kind, isUnforwarded, match, bodyTest } = classifyResponse(statusCode, headers, this, attempt.isAbsoluteForm, rules)
    attempt.conclude(kind, 'response', match === null ? statusDetails(statusCode) : { statusCode, ...ruleOf(match) })
    return bodyTest ?? this.#weigh(attempt, match, headers, isUnforwarded)
  }

  onTested(attempt: Attempt, match: BanMatch | null, { statusCode, headers }: ResponseHead): 'deliver' | 'give_up' {
    if (match !== null) attempt.conclude('banned', 'body', { statusCode, ...ruleOf(match) })
    return this.#weigh(attempt, match, headers, false)
  }

  onGivenUp(): void {
    this.live = null
    if (this.#stopWith === null) this.#host.admit(this)
    else this.fail(this.#final(this.#stopWith))
  }

  onDelivery(attempt: Attempt, controller: DispatchController, statusCode: number, headers: ResponseHeaders, statusMessage?: string): void {
    this.#host.noteDelivery(this, attempt)
    this.#judge(attempt.kind === 'answered' ? attempt.device : null)
    this.rawHeaders = controller.rawHeaders
    if (this.#host.exposeHeaders) {
      exposeAttempt(attempt, this.attempts.length, this.order, headers)
      this.showRaw(attempt)
    }
    this.handler.onPoolVerdict?.(attempt.kind)
    this.handler.onResponseStart?.(this, statusCode, headers, statusMessage)
  }

  onUpgrade(attempt: Attempt, controller: DispatchController, statusCode: number, headers: ResponseHeaders, socket: Duplex): void {
    attempt.conclude('answered', 'response', { statusCode })
    this.#judge(attempt.device)
    this.rawHeaders = controller.rawHeaders
    this.#settle('answered')
    this.#tellEnd(() => this.handler.onRequestUpgrade?.(this, statusCode, headers, socket), socket)
  }

  onEnd(attempt: Attempt, controller: DispatchController, trailers: ResponseHeaders): void {
    this.rawTrailers = controller.rawTrailers
    if (attempt.kind === 'answered') this.#host.noteComplete(attempt.device)
    this.#settle('answered')
    this.#tellEnd(() => this.handler.onResponseEnd?.(this, trailers))
  }

  onFailure(attempt: Attempt, error: Error, match: BanMatch | null): void {
    this.#hedge?.end(null)
    this.live = null
    if (this.abortedWith !== null) {
      attempt.conclude('aborted', attempt.isDelivering ? 'body' : 'request')
      this.#fail(this.abortedWith)
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
    if (mayGoOn(this, this.#host, attempt, reached, false)) {
      this.#host.noteRetry(this, attempt.report)
      this.#host.admit(this)
    } else this.fail(this.#final(this.#lastError))
  }

  onRelease(attempt: Attempt): void {
    this.#host.release(attempt.device, this.site)
  }

  // ---- its hedge ----

  onConnecting(attempt: Attempt): void {
    this.#hedge ??= this.#host.hedge(this, attempt.device)
  }

  onConnected(attempt: Attempt): void {
    this.#hedge?.end(attempt.device)
  }

  moveTo(second: Device, onEnd: (error: Error | null) => void): boolean {
    const first = this.live
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

  // ---- inside ----

  #attempt(device: Device): void {
    const attempt = new Attempt(this, device)
    this.attempts = this.attempts.length === 0 ? [attempt] : [...this.attempts, attempt]
    this.live = attempt
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
    const goesOn = mayGoOn(this, this.#host, attempt, isUnforwarded ? 'not_forwarded' : 'sent', isSitesAnswer)
    if (goesOn) this.#host.noteRetry(this, report)
    this.#stopWith = goesOn ? null : this.#lastError
    // The site's own answer is the caller's; what the device's proxy said instead of it is an error.
    return isSitesAnswer && !goesOn ? 'deliver' : 'give_up'
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
    if (this.attempts.length > 0) this.#host.judge(this.attempts, servedBy, this.site)
  }

  #fail(error: Error): void {
    if (this.#isSettled) return
    if (this.abortedWith === null && this.live === null) this.#judge(null)
    this.#settle(this.abortedWith === null ? 'failed' : 'aborted')
    this.handler.onResponseError?.(this, error)
  }

  /**
   * Tells the handler the last that there is. What it throws then comes back to it as an error, as from undici itself: its `retry` interceptor
   * lets go of an answer that it does not want in this way.
   */
  #tellEnd(tell: () => void, socket?: Duplex): void {
    try {
      tell()
    } catch (error) {
      socket?.destroy()
      this.handler.onResponseError?.(this, toError(error))
    }
  }

  #settle(outcome: RequestOutcome): void {
    this.#isSettled = true
    this.live = null
    this.#host.settled(this, outcome)
  }
}

const ruleOf = (match: BanMatch | null): { rule?: string } => (match === null ? {} : { rule: match.rule })

/** For a view that takes bans as answers. */
const NO_BANS = new BanRules([], { bytes: 0, maxWaitMs: 0, contentTypes: [] })
