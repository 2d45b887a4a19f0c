import type { Applicant } from '../core/admission-queue.ts'
import type { Device } from '../core/device.ts'
import type { PoolCore } from '../core/pool-core.ts'
import type { RetryBudget } from '../core/retry-budget.ts'
import type { ConnectKind, ConnectTimes } from './connect-times.ts'
import type { DeviceAttempt } from './device-attempt.ts'
import type { Errand, ErrandHost } from './errand.ts'
import { Hedge, type HedgedRun, type HedgeHost } from './hedge.ts'
import type { Opening } from './opening.ts'

export interface HedgeSettings {
  /** `auto`: what `ConnectTimes` makes of the fleet's recent connections. */
  readonly delayMs: number | 'auto'
  /** Hedges as a share of all requests. */
  readonly budget: number
}

export interface HedgingParts<Run> {
  readonly core: PoolCore<Errand>
  readonly connectTimes: ConnectTimes
  /** Of all hedges of the pool together. */
  readonly budget: RetryBudget
  /** What a connection for it through the device takes. */
  kindOf(device: Device, run: Run): ConnectKind
  /** Connects through the device, for it if it wants it once it stands. Null: a connection stands already. */
  prepare(device: Device, run: Run, onEnd: (error: Error | null) => void): Opening | null
  readonly host: Pick<ErrandHost, 'now' | 'release' | 'noteAttemptEnd' | 'judge'>
}

/** The hedges of a pool for errands of one kind, requests or paths: when one begins, with which device. */
export class Hedging<Run extends HedgedRun & Applicant> implements HedgeHost<Run> {
  readonly #delayMs: HedgeSettings['delayMs']
  readonly #parts: HedgingParts<Run>

  constructor({ delayMs }: HedgeSettings, parts: HedgingParts<Run>) {
    this.#delayMs = delayMs
    this.#parts = parts
  }

  /** It begins to connect through this device. */
  watch(run: Run, first: Device): Hedge<Run> {
    const { connectTimes, kindOf } = this.#parts
    return new Hedge(this, run, first, this.#delayMs === 'auto' ? connectTimes.hedgeDelayMs(kindOf(first, run)) : this.#delayMs)
  }

  takeSecond(run: Run, first: Device): Device | undefined {
    const { core, budget, host } = this.#parts
    const { site, order, view, tried } = run
    // A session is told only when the request really moves: `accepts` has its word on whether it may.
    const applicant = { site, order, view: { ...view, sticky: null }, tried: [...tried, first] }
    const second = core.takeFree(applicant, host.now())
    if (second === undefined || budget.withdraw()) return second
    host.release(second, site)
    return undefined
  }

  prepare(device: Device, run: Run, onEnd: (error: Error | null) => void): Opening | null {
    return this.#parts.prepare(device, run, onEnd)
  }

  release(device: Device, site: string): void {
    this.#parts.host.release(device, site)
  }

  noteFailedConnection(attempt: DeviceAttempt, winner: Device | null, run: Run): void {
    this.#parts.host.noteAttemptEnd(attempt)
    // A connection to a device's own proxy says nothing about the target: then only what is certainly the device's fault counts.
    if (winner !== null && this.#parts.kindOf(winner, run) !== 'forward') this.#parts.host.judge([attempt], winner, run.site)
  }
}
