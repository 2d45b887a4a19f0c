import type { Device } from '../core/device.ts'
import { classifyError } from './classify-error.ts'
import { DeviceAttempt } from './device-attempt.ts'
import type { Opening } from './opening.ts'

/** The request or path whose connection is slow. */
export interface HedgedRun {
  readonly site: string
  now(): number
  /**
   * The second device's connection stands first: it goes there, unless the first's stands as well by now. Returns whether it does;
   * `onEnd` hears what the first's connection came to in the end.
   */
  moveTo(second: Device, onEnd: (error: Error | null) => void): boolean
  /** Not to be tried (again). */
  exclude(device: Device): void
}

/** What a hedge needs of the pool that carries the request. */
export interface HedgeHost<Run extends HedgedRun> {
  /** A second device for the request, its place taken; undefined: none is free this moment, or the budget is spent. */
  takeSecond(run: Run, first: Device): Device | undefined
  /** Makes a connection for it through the device; null: there is one already. */
  prepare(device: Device, run: Run, onEnd: (error: Error | null) => void): Opening | null
  release(device: Device, site: string): void
  /** Connecting through this device failed; `winner`: the device through which it did not, null: not known. */
  noteFailedConnection(attempt: DeviceAttempt, winner: Device | null, run: Run): void
}

/**
 * Connects through a second device when the first is slow. Only connections race: a request is sent where the first one stands, once, so
 * that this is safe for every method. The other connection goes on: when it stands it is kept idle, or closed where it is a path's; when
 * it fails or times out it counts against its device, since the same target was reached through the winner.
 */
export class Hedge<Run extends HedgedRun> {
  readonly #host: HedgeHost<Run>
  readonly #run: Run
  /** The attempt whose connection is slow, as a record of its own: the run's says only that it was hedged. */
  readonly #first: DeviceAttempt
  readonly #timer: NodeJS.Timeout
  #opening: Opening | null = null
  /** `waiting`: for the delay. `racing`: the second connects. `over`: decided. */
  #stage: 'waiting' | 'racing' | 'over' = 'waiting'
  #winner: Device | null = null

  constructor(host: HedgeHost<Run>, run: Run, first: Device, delayMs: number) {
    this.#host = host
    this.#run = run
    this.#first = new DeviceAttempt(first, run)
    this.#timer = setTimeout(() => this.#ask(), delayMs)
  }

  /** The race is over without it. `winner`: the device whose connection stands; null: the first failed. */
  end(winner: Device | null): void {
    clearTimeout(this.#timer)
    if (this.#stage !== 'over') this.#winner = winner
    this.#stage = 'over'
  }

  /** The caller wants nothing any more. */
  cancel(reason: Error): void {
    this.end(null)
    this.#opening?.cancel(reason)
  }

  #ask(): void {
    const second = this.#host.takeSecond(this.#run, this.#first.device)
    if (second === undefined) {
      this.#stage = 'over'
      return
    }
    this.#stage = 'racing'
    const attempt = new DeviceAttempt(second, this.#run)
    this.#opening = this.#host.prepare(second, this.#run, (error) => this.#onEnd(attempt, error))
    if (this.#opening === null) this.#stands(second)
  }

  #onEnd(attempt: DeviceAttempt, error: Error | null): void {
    this.#opening = null
    if (error === null && this.#stage === 'racing') {
      this.#stands(attempt.device)
      return
    }
    if (error !== null && (this.#stage === 'racing' || this.#winner !== null)) {
      concludeFailed(attempt, error)
      this.#host.noteFailedConnection(attempt, this.#winner, this.#run)
      if (this.#stage === 'racing') this.#run.exclude(attempt.device)
    }
    this.#stage = 'over'
    this.#host.release(attempt.device, this.#run.site)
  }

  #stands(second: Device): void {
    this.#stage = 'over'
    const isMoved = this.#run.moveTo(second, (error) => {
      if (error === null) return
      concludeFailed(this.#first, error)
      this.#host.noteFailedConnection(this.#first, second, this.#run)
    })
    if (!isMoved) this.#host.release(second, this.#run.site)
  }
}

function concludeFailed(attempt: DeviceAttempt, error: Error): void {
  const { kind, phase, errno } = classifyError(error, 'unsent')
  attempt.conclude(kind, phase, errno === undefined ? {} : { errno })
}
