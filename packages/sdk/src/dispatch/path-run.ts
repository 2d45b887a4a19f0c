import type { Device } from '../core/device.ts'
import { attemptsAreLeft } from '../core/retry-rules.ts'
import type { View } from '../core/view.ts'
import { type AttemptKind, type AttemptReport, MobilePoolError } from '../errors.ts'
import { deviceConnectError, finalError, withAttempts } from './attempt-errors.ts'
import { classifyError } from './classify-error.ts'
import { DeviceAttempt } from './device-attempt.ts'
import type { Errand, ErrandHost } from './errand.ts'
import type { Hedge, HedgedRun } from './hedge.ts'
import { isBreach } from './no-device-errors.ts'
import { OpenPath } from './open-path.ts'
import { Opening } from './opening.ts'
import type { Path, PathReuse, PathTarget } from './path.ts'
import { toError } from './to-error.ts'
import type { PathLink } from './transport.ts'

/** A connection being made for a path. */
export type PathOpening = Pick<Opening, 'cancel' | 'detach'>

/** What a path needs of the pool beyond what every errand needs. */
export interface PathHost extends ErrandHost {
  /** Opens a connection through the device; the callback gets exactly one of error and link, and never before this returns. */
  connect(device: Device, target: PathTarget, callback: (error: Error | null, link: PathLink | null) => void): PathOpening
  /** It begins to connect through this device: a second may be asked if that takes long. Null: none ever is. */
  hedgePath(run: PathRun, first: Device): Hedge<PathRun> | null
}

export interface PathRequest {
  readonly target: PathTarget
  readonly view: View
  readonly order: number
  readonly signal: AbortSignal | undefined
  readonly reuse: PathReuse | undefined
}

/** A connection that stands, and whether it has served before. */
interface Standing {
  readonly link: PathLink
  readonly isReused: boolean
}

/**
 * Looks for a path: waits for a device like any request, connects, asks a second device when that takes long, goes on to another device
 * until one connection stands.
 */
export class PathRun implements Errand, HedgedRun {
  readonly site: string
  readonly order: number
  readonly view: View
  readonly tried: Device[] = []
  readonly attempts: DeviceAttempt[] = []
  readonly startedAt: number
  place = -1
  readonly target: PathTarget
  readonly options = { method: 'CONNECT', path: '' }
  /** The path once it stands; rejects with `MobilePoolError`, or with the signal's reason. */
  readonly path: Promise<Path>
  readonly #host: PathHost
  readonly #request: PathRequest
  readonly #giveUpAt: number
  #resolve!: (path: Path) => void
  #reject!: (error: Error) => void
  #pending: PathOpening | null = null
  #hedge: Hedge<PathRun> | null = null
  /** The second device's connection, until it is known whether it is wanted. */
  #second: Standing | null = null
  #open: OpenPath | null = null
  #lastError: MobilePoolError | null = null
  #isOver: boolean = false

  constructor(host: PathHost, request: PathRequest) {
    this.#host = host
    this.#request = request
    this.site = host.siteOf(request.target.hostname)
    this.order = request.order
    this.view = request.view
    this.target = request.target
    this.startedAt = host.now()
    this.#giveUpAt = this.startedAt + host.retry.maxElapsedMs
    this.path = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  start(): void {
    const { signal } = this.#request
    if (signal?.aborted) {
      this.abort(toError(signal.reason))
      return
    }
    signal?.addEventListener('abort', this.#onAbort, { once: true })
    this.#host.admit(this)
  }

  queued(): void {}

  assigned(device: Device): void {
    const attempt = new DeviceAttempt(device, this.#host)
    this.attempts.push(attempt)
    const kept = this.#keptBy(device)
    if (kept !== null) {
      this.#onOpen(attempt, kept)
      return
    }
    const opening = this.#host.connect(device, this.target, (error, link) => {
      if (this.#pending !== opening) return // it was let go of
      this.#pending = null
      if (error !== null) this.#onFailure(attempt, error)
      else if (link !== null) this.#onOpen(attempt, { link, isReused: false })
    })
    this.#pending = opening
    this.#hedge ??= this.#host.hedgePath(this, device)
  }

  /** What the last attempt met says more than that there is no other device. */
  refused(error: MobilePoolError): void {
    this.#fail(this.#lastError === null || isBreach(error) ? withAttempts(error, this.reports) : this.#final(this.#lastError))
  }

  /** Before the path stands: it never will. Afterwards: its socket is destroyed with this error. */
  abort(reason: Error): void {
    if (this.#open !== null) {
      this.#open.socket.destroy(reason)
      return
    }
    if (this.#isOver) return
    this.#end()
    this.#host.withdraw(this)
    this.#hedge?.cancel(reason)
    this.#pending?.cancel(reason)
    this.#host.settled(this, 'aborted')
    this.#reject(reason)
  }

  cut(reason: Error): void {
    if (this.#open === null) this.abort(reason)
    else this.#open.onCut?.(reason)
  }

  // ---- its hedge ----

  now(): number {
    return this.#host.now()
  }

  /** Connects through a second device; null: a kept connection of that device stands. One that is not wanted when it stands is closed. */
  prepareSecond(device: Device, onEnd: (error: Error | null) => void): Opening | null {
    this.#second = this.#keptBy(device)
    if (this.#second !== null) return null
    const opening = new Opening(null, onEnd)
    opening.begun(
      this.#host.connect(device, this.target, (error, link) => {
        this.#second = link === null ? null : { link, isReused: false }
        opening.end(error, null)
        this.#dropSecond()
      }),
    )
    return opening
  }

  moveTo(second: Device, onEnd: (error: Error | null) => void): boolean {
    const [first, opening, standing] = [this.attempts.at(-1), this.#pending, this.#second]
    if (this.#isOver || first === undefined || opening === null || standing === null) {
      this.#dropSecond()
      return false
    }
    this.#pending = null
    this.#second = null
    opening.detach(new Error('another device was quicker'), (error) => {
      this.#host.release(first.device, this.site)
      onEnd(error)
    })
    first.conclude('hedged', 'connect')
    this.view.sticky?.taken(second)
    this.#host.noteHedge(this, first.report)
    const attempt = new DeviceAttempt(second, this.#host)
    this.attempts.push(attempt)
    this.#onOpen(attempt, standing)
    return true
  }

  exclude(device: Device): void {
    this.tried.push(device)
  }

  // ---- inside ----

  #dropSecond(): void {
    this.#second?.link.socket.destroy()
    this.#second = null
  }

  readonly #onAbort = (): void => this.abort(toError(this.#request.signal?.reason))

  /** A kept connection of the device that leads there, taken into use. */
  #keptBy(device: Device): Standing | null {
    const kept = this.#request.reuse?.(device.id)
    return kept instanceof OpenPath && kept.link.wake() ? { link: kept.link, isReused: true } : null
  }

  #onOpen(attempt: DeviceAttempt, { link, isReused }: Standing): void {
    this.#hedge?.end(attempt.device)
    if (this.#isOver) {
      link.socket.destroy()
      this.#host.release(attempt.device, this.site)
      return
    }
    this.#end()
    attempt.conclude('answered', 'tunnel')
    this.#host.judge(this.attempts, attempt.device, this.site)
    const watcher = {
      onFailed: (kind: AttemptKind) => this.view.sticky?.failed(attempt.device, kind),
      onOver: () => this.#host.settled(this, 'answered'),
    }
    this.#open = new OpenPath(this.#host, attempt, link, watcher, { site: this.site, attempts: this.attempts.length, isReused })
    this.#resolve(this.#open)
  }

  #onFailure(attempt: DeviceAttempt, error: Error): void {
    this.#hedge?.end(null)
    if (this.#isOver) {
      attempt.conclude('aborted', 'connect')
      this.#host.release(attempt.device, this.site)
      return
    }
    const { kind, phase, errno } = classifyError(error, 'unsent')
    const statusCode = error instanceof MobilePoolError ? error.statusCode : undefined
    attempt.conclude(kind, phase, {
      ...(errno === undefined ? {} : { errno }),
      ...(statusCode === undefined ? {} : { statusCode }),
    })
    this.view.sticky?.failed(attempt.device, kind)
    this.#host.noteAttemptEnd(attempt)
    this.#lastError = error instanceof MobilePoolError ? error : deviceConnectError(attempt, error)
    if (kind !== 'draining') this.tried.push(attempt.device)
    this.#host.release(attempt.device, this.site)
    if (attemptsAreLeft(this.attempts, this.view.retry?.attempts ?? this.#host.retry.attempts) && this.#host.now() < this.#giveUpAt) {
      this.#host.noteRetry(this, attempt.report)
      this.#host.admit(this)
    } else this.#fail(this.#final(this.#lastError))
  }

  get reports(): AttemptReport[] {
    return this.attempts.map((attempt) => attempt.report)
  }

  #final(error: Error): Error {
    const { hostname, port } = this.target
    return finalError(error, `${hostname}:${port}`, this.reports)
  }

  #fail(error: Error): void {
    if (this.#isOver) return
    this.#end()
    if (this.attempts.length > 0) this.#host.judge(this.attempts, null, this.site)
    this.#host.settled(this, 'failed')
    this.#reject(error)
  }

  #end(): void {
    this.#isOver = true
    this.#request.signal?.removeEventListener('abort', this.#onAbort)
  }
}
