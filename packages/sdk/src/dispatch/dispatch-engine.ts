/// <reference path="./undici-deep.d.ts" />
import { InvalidArgumentError } from 'undici/lib/core/errors.js'
import type { BanMatch } from '../bans/ban-rule.ts'
import { RecentAnswers } from '../bans/recent-answers.ts'
import type { Device } from '../core/device.ts'
import type { CoreEvent, JudgedAttempt } from '../core/judge.ts'
import type { RetryBudget } from '../core/retry-budget.ts'
import { type Breach, PLAIN_VIEW, type Sticky, type View } from '../core/view.ts'
import { type AttemptKind, type AttemptReport, MobilePoolError } from '../errors.ts'
import type { Attempt } from './attempt.ts'
import { ChoiceRun } from './choice-run.ts'
import type { ResponseRules } from './classify-response.ts'
import type { ConnectTimes } from './connect-times.ts'
import { createHedging, type PoolHedging } from './create-hedging.ts'
import { Deadlines } from './deadlines.ts'
import type { Errand } from './errand.ts'
import type { DispatchHandler, DispatchOptions } from './handlers.ts'
import { type HashKeyOf, withHashKey } from './hash-key.ts'
import type { Hedge } from './hedge.ts'
import type { HedgeSettings } from './hedging.ts'
import { breachError, closedError } from './no-device-errors.ts'
import type { Path, PathReuse, PathTarget } from './path.ts'
import { type PathHost, type PathOpening, PathRun } from './path-run.ts'
import { RequestRun } from './request-run.ts'
import type { RequestOutcome, RetrySettings, RunHost } from './run-host.ts'
import { createTargetLookup, type Target } from './target.ts'
import type { PathLink, Transport } from './transport.ts'
import { UnderWay } from './under-way.ts'
import { WaitingRoom, type WaitingRoomParts } from './waiting-room.ts'

export interface EngineSettings {
  readonly retry: RetrySettings
  readonly rules: ResponseRules
  readonly firstByteTimeoutMs: number
  readonly bodyTimeoutMs: number
  /** Null: no request is hedged. Nor is one where limits are shared: its second place would have to be asked for first. */
  readonly hedge: HedgeSettings | null
  readonly exposeHeaders: boolean
  readonly queueTimeoutMs: number
  readonly queueMax: number
  /** The option of that name. */
  readonly hashKeyOf: HashKeyOf | undefined
}

export interface EngineParts extends WaitingRoomParts {
  readonly budget: RetryBudget
  readonly connectTimes: ConnectTimes
  readonly siteOf: (hostname: string) => string
  readonly transportOf: (device: Device) => Transport | undefined
  /** A request met a ban of the site on a device, the `strikes`th in a row at its exit IP. */
  readonly onBan: (device: Device, site: string, request: object, strikes: number) => void
  /** A request is over, and what its attempts came to is known. */
  readonly onOver: (run: Errand, outcome: RequestOutcome) => void
}

/** Requests since the pool began. */
export interface RequestCounts {
  started: number
  answered: number
  failed: number
  aborted: number
  /** Attempts beyond the first. */
  retried: number
  /** Requests and paths that went to a second device because the first was slow to connect. */
  hedged: number
}

/** Carries requests: the pool core decides, this does. */
export class DispatchEngine implements RunHost, PathHost {
  readonly retry: RetrySettings
  readonly rules: ResponseRules
  readonly firstByteTimeoutMs: number
  readonly bodyTimeoutMs: number
  readonly exposeHeaders: boolean
  readonly deadlines: Deadlines
  /** What reports may be about. */
  readonly answers = new RecentAnswers()
  readonly counts: RequestCounts = { started: 0, answered: 0, failed: 0, aborted: 0, retried: 0, hedged: 0 }
  readonly #parts: EngineParts
  readonly #settings: EngineSettings
  readonly #targetOf = createTargetLookup()
  /** Null: nothing is hedged. */
  readonly #hedging: PoolHedging | null
  readonly #waiting: WaitingRoom
  readonly #runs: UnderWay
  #isClosed: boolean = false

  constructor(settings: EngineSettings, parts: EngineParts) {
    this.#settings = settings
    this.#parts = parts
    this.retry = settings.retry
    this.rules = settings.rules
    this.firstByteTimeoutMs = settings.firstByteTimeoutMs
    this.bodyTimeoutMs = settings.bodyTimeoutMs
    this.#hedging = settings.hedge === null || parts.shared !== null ? null : createHedging(settings.hedge, { ...parts, host: this })
    this.exposeHeaders = settings.exposeHeaders
    this.deadlines = new Deadlines(parts.clock)
    this.#waiting = new WaitingRoom(parts, { timeoutMs: settings.queueTimeoutMs, max: settings.queueMax })
    this.#runs = new UnderWay(parts.clock)
  }

  /** It takes nothing any more. */
  get isClosed(): boolean {
    return this.#isClosed
  }

  get inFlight(): number {
    return this.#runs.size - this.#parts.core.queued
  }

  /** Takes a request. Whatever becomes of it, the handler hears of it. */
  dispatch(options: DispatchOptions, handler: DispatchHandler, view: View = PLAIN_VIEW): void {
    const target = this.#targetOf(options)
    if (target === undefined || typeof options.path !== 'string') {
      handler.onResponseError?.(null, new InvalidArgumentError('a request needs an http: or https: origin and a path'))
      return
    }
    if (this.#isClosed) {
      handler.onResponseError?.(null, closedError())
      return
    }
    const keyed = this.#settings.hashKeyOf === undefined ? view : this.#keyedFor(options, handler, target, view)
    if (keyed === null) return
    this.counts.started++
    this.#parts.budget.deposit()
    this.#hedging?.budget.deposit()
    const run = new RequestRun(this, options, handler, target, this.counts.started, keyed)
    this.#runs.add(run)
    run.start()
  }

  /**
   * Opens a path through some device, for bytes that are not a `dispatch()` call: it waits for a device like any request (order, limits,
   * `view`, quarantines), and goes on to other devices until a connection stands. Rejects with `MobilePoolError`, or with the reason
   * of `signal`, which ends the search; the path that stands is its holder's to close. `reuse` may give the chosen device's path again.
   */
  async openPath(target: PathTarget, view: View = PLAIN_VIEW, signal?: AbortSignal, reuse?: PathReuse): Promise<Path> {
    const { hostname, port } = target
    // Both end up in the line of a CONNECT request.
    if (!/^[^\s/@?#\\]+$/.test(hostname) || !Number.isInteger(port) || port < 1 || port > 65_535)
      throw new InvalidArgumentError(`a path needs a host name and a port from 1 to 65535, not ${JSON.stringify(`${hostname}:${port}`)}`)
    if (this.#isClosed) throw closedError()
    const keyed = withHashKey(view, this.#settings.hashKeyOf, () => ({ hostname, site: this.siteOf(hostname), method: null, path: null }))
    this.counts.started++
    this.#parts.budget.deposit()
    this.#hedging?.budget.deposit()
    const run = new PathRun(this, { target, view: keyed, order: this.counts.started, signal, reuse })
    this.#runs.add(run)
    run.start()
    return run.path
  }

  /**
   * Tells which device a request to this host would get now, without taking a place there; it waits for one like any request. Null: to no
   * host in particular. Rejects with `MobilePoolError`, or with the reason of `signal`.
   */
  async choose(hostname: string | null, view: View, signal?: AbortSignal): Promise<Device> {
    if (this.#isClosed) throw closedError()
    const { hashKeyOf } = this.#settings
    const keyed =
      hostname === null ? view : withHashKey(view, hashKeyOf, () => ({ hostname, site: this.siteOf(hostname), method: null, path: null }))
    const run = new ChoiceRun(this, { hostname, view: { ...keyed, isInquiry: true }, order: this.counts.started, signal })
    this.#runs.add(run)
    run.start()
    return run.device
  }

  // ---- for the runs ----

  now(): number {
    return this.#parts.clock.now()
  }

  /** Whether the device's exit IP of now is left out for the site of a host. */
  isQuarantined(device: Device, hostname: string): boolean {
    return device.exit.quarantinedUntil(this.siteOf(hostname), this.now()) > 0
  }

  siteOf(hostname: string): string {
    return this.#parts.siteOf(hostname)
  }

  admit(run: Errand): void {
    this.#waiting.admit(run)
  }

  withdraw(run: Errand): void {
    this.#waiting.withdraw(run)
  }

  send(run: RequestRun, attempt: Attempt): void {
    const transport = this.#parts.transportOf(attempt.device)
    if (transport === undefined) {
      attempt.onResponseError(null, goneError(attempt.device))
      return
    }
    attempt.isAbsoluteForm = transport.usesAbsoluteForm(run.options, run.target)
    transport.dispatch(run.options, run.target, attempt.isAbsoluteForm, attempt)
  }

  connect(device: Device, target: PathTarget, callback: (error: Error | null, link: PathLink | null) => void): PathOpening {
    const transport = this.#parts.transportOf(device)
    if (transport !== undefined) return transport.connect(target, callback)
    queueMicrotask(() => callback(goneError(device), null))
    return { cancel: () => {}, detach: () => false }
  }

  hasHope(run: RequestRun, kind: AttemptKind): boolean {
    const prospect = this.#parts.core.prospect(run, this.now())
    if (prospect === 'now') return true
    // For a target's own error another exit is worth a try, but not a wait.
    if (kind !== 'banned') return false
    return prospect === 'soon' || (prospect === 'starved' && this.#parts.helpStarved(run.site))
  }

  spendRetry(): boolean {
    return this.#parts.budget.withdraw()
  }

  noteBan(run: RequestRun, attempt: Attempt, retryAfterMs: number | undefined, report: AttemptReport, match: BanMatch): void {
    const { core, emit, onBan } = this.#parts
    const { site } = run
    const { deviceId, device, exitIp, statusCode = null } = report
    const { until, strikes } = core.judge.noteBan(attempt, site, retryAfterMs, this.now())
    emit('ban', { deviceId, device, site, exitIp, ...match, statusCode, until, strikes })
    // A device that has rotated meanwhile is not to be rotated again for what its last exit IP met.
    if (attempt.device.exit === attempt.exit) onBan(attempt.device, site, run, strikes)
    this.#waiting.refuseHopeless()
  }

  noteDelivery(run: RequestRun, attempt: Attempt): void {
    const { device, exit, kind } = attempt
    const { order, site } = run
    const strikesEnded = kind === 'answered' && exit.sites.size > 0 ? this.#parts.core.judge.noteAnswer(exit, site, this.now()) : 0
    if (this.exposeHeaders) this.answers.add(order, device, exit, site, strikesEnded, kind === 'banned')
  }

  noteAttemptEnd(attempt: JudgedAttempt): void {
    if (attempt.kind === 'draining') this.#parts.core.judge.noteDraining(attempt.device, this.now())
    this.publish(this.#parts.core.judge.noteAttemptEnd(attempt, this.now()))
  }

  noteComplete(device: Device): void {
    const events = this.#parts.core.judge.noteComplete(device)
    if (events.length === 0) return
    this.publish(events)
    this.#waiting.serve()
  }

  noteRetry(run: Errand, failed: AttemptReport): void {
    this.counts.retried++
    this.#parts.emit('retry', { site: run.site, attempt: failed })
  }

  hedge(run: RequestRun, first: Device): Hedge<RequestRun> | null {
    return run.view.isUnhedged ? null : (this.#hedging?.requests.watch(run, first) ?? null)
  }

  hedgePath(run: PathRun, first: Device): Hedge<PathRun> | null {
    return run.view.isUnhedged ? null : (this.#hedging?.paths.watch(run, first) ?? null)
  }

  noteHedge(run: Errand, slow: AttemptReport): void {
    this.counts.hedged++
    this.#parts.emit('hedge', { site: run.site, attempt: slow })
  }

  judge(attempts: readonly JudgedAttempt[], servedBy: Device | null, site: string): void {
    this.publish(this.#parts.core.judge.settle(attempts, servedBy, site, this.now()))
  }

  release(device: Device, site: string): void {
    this.#parts.core.release(device, site)
    this.#parts.shared?.released(device)
    this.#waiting.serve()
  }

  settled(run: Errand, outcome: RequestOutcome): void {
    this.counts[outcome]++
    this.#parts.onOver(run, outcome)
    this.leave(run)
  }

  leave(run: Errand): void {
    this.#runs.delete(run)
  }

  // ---- for the pool ----

  /** Devices came, went, rotated or changed their IP: those who wait are looked at again. */
  fleetChanged(): void {
    this.#waiting.serve()
    this.#waiting.refuseHopeless()
    this.#waiting.setAlarm()
  }

  /** A session's exit IP is gone, a lease is over: none of its requests may silently go on with another. Answers that have begun finish. */
  endSticky(sticky: Sticky, breach: Breach): void {
    for (const run of this.#runs.all()) {
      if (run.view.sticky !== sticky) continue
      const error = breachError(breach)
      if (this.#waiting.withdraw(run)) run.refused(error)
      else if (!mayFinish(breach)) run.cut(error)
    }
  }

  /** Ends the wait of everybody who waits, e.g. because the hub refuses the token. */
  refuseWaiting(error: MobilePoolError): void {
    this.#waiting.refuseAll(error)
  }

  /** Tells listeners what the core did. */
  publish(events: readonly CoreEvent[]): void {
    if (events.length === 0) return
    for (const event of events) {
      const ref = { deviceId: event.device.id, device: event.device.facts.name }
      if (event.type === 'ejected') this.#parts.emit('eject', { ...ref, faults: event.faults, until: event.until, reason: event.reason })
      else this.#parts.emit('restore', ref)
    }
  }

  /** Takes no new requests; resolves when those under way are over, at the latest after `timeoutMs`. */
  async close(timeoutMs: number): Promise<void> {
    this.#isClosed = true
    await this.#runs.over(timeoutMs)
  }

  /** Ends every request with this error. */
  destroy(error: Error): void {
    this.#isClosed = true
    for (const run of this.#runs.all()) run.abort(error)
    this.deadlines.close()
    this.#waiting.setAlarm()
  }

  // ---- inside ----

  /** The view with the key of the option `hashKey`; null: that threw, and the handler knows. */
  #keyedFor(options: DispatchOptions, handler: DispatchHandler, { hostname }: Target, view: View): View | null {
    try {
      return withHashKey(view, this.#settings.hashKeyOf, () => {
        return { hostname, site: this.siteOf(hostname), method: options.method, path: options.path }
      })
    } catch (error) {
      handler.onResponseError?.(null, error instanceof Error ? error : new Error(String(error)))
      return null
    }
  }
}

const goneError = (device: Device): MobilePoolError =>
  new MobilePoolError('MP_DEVICE_ROTATED', `device ${device.facts.name} has left the pool`, { phase: 'connect', deviceId: device.id })

/** Before a rotation the device drains, and a ban takes no connection away: what is under way has the exit IP that it was begun with. */
const mayFinish = (breach: Breach): boolean => breach.kind === 'lease_lost' && (breach.why === 'rotating' || breach.why === 'banned')
