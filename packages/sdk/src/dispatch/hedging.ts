import type { Device } from '../core/device.ts'
import type { JudgedAttempt } from '../core/judge.ts'
import type { PoolCore } from '../core/pool-core.ts'
import { RetryBudget } from '../core/retry-budget.ts'
import type { ConnectTimes } from './connect-times.ts'
import type { DeviceAttempt } from './device-attempt.ts'
import type { Errand } from './errand.ts'
import { Hedge, type HedgeHost } from './hedge.ts'
import type { Opening } from './opening.ts'
import type { RequestRun } from './request-run.ts'
import type { Transport } from './transport.ts'

export interface HedgeSettings {
  /** `auto`: what `ConnectTimes` makes of the fleet's recent connections. */
  readonly delayMs: number | 'auto'
  /** Hedges as a share of all requests. */
  readonly budget: number
}

export interface HedgingParts {
  readonly core: PoolCore<Errand>
  readonly connectTimes: ConnectTimes
  readonly transportOf: (device: Device) => Transport | undefined
  now(): number
  release(device: Device, site: string): void
  noteAttemptEnd(attempt: JudgedAttempt): void
  judge(attempts: readonly JudgedAttempt[], servedBy: Device, site: string): void
}

/** The hedges of a pool: when one begins, with which device, within which budget. */
export class Hedging implements HedgeHost<RequestRun> {
  readonly #settings: HedgeSettings
  readonly #parts: HedgingParts
  readonly #budget: RetryBudget

  constructor(settings: HedgeSettings, parts: HedgingParts) {
    this.#settings = settings
    this.#parts = parts
    this.#budget = new RetryBudget(settings.budget)
  }

  /** To be told of every request: each brings its share of a hedge. */
  noteRequest(): void {
    this.#budget.deposit()
  }

  /** The request begins to connect through this device. */
  watch(run: RequestRun, first: Device): Hedge<RequestRun> {
    const { delayMs } = this.#settings
    const kind = this.#usesAbsoluteForm(first, run) ? 'forward' : 'tunnel'
    return new Hedge(this, run, first, delayMs === 'auto' ? this.#parts.connectTimes.hedgeDelayMs(kind) : delayMs)
  }

  takeSecond(run: RequestRun, first: Device): Device | undefined {
    const { core } = this.#parts
    const { site, order, view, tried } = run
    // A session is told only when the request really moves: `accepts` has its word on whether it may.
    const applicant = { site, order, view: { ...view, sticky: null }, tried: [...tried, first] }
    const second = core.takeFree(applicant, this.#parts.now())
    if (second === undefined || this.#budget.withdraw()) return second
    this.#parts.release(second, site)
    return undefined
  }

  prepare(device: Device, run: RequestRun, onEnd: (error: Error | null) => void): Opening | null {
    return this.#parts.transportOf(device)?.prepare(run.options, run.target, onEnd) ?? null
  }

  release(device: Device, site: string): void {
    this.#parts.release(device, site)
  }

  noteFailedConnection(attempt: DeviceAttempt, winner: Device | null, run: RequestRun): void {
    this.#parts.noteAttemptEnd(attempt)
    // A connection to a device's own proxy says nothing about the target: then only what is certainly the device's fault counts.
    if (winner !== null && !this.#usesAbsoluteForm(winner, run)) this.#parts.judge([attempt], winner, run.site)
  }

  #usesAbsoluteForm(device: Device, run: RequestRun): boolean {
    return this.#parts.transportOf(device)?.usesAbsoluteForm(run.options, run.target) ?? false
  }
}
