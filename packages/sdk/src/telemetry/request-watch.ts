import type { Clock } from '../clock.ts'
import type { DeviceAttempt } from '../dispatch/device-attempt.ts'
import type { Errand } from '../dispatch/errand.ts'
import type { RequestOutcome } from '../dispatch/run-host.ts'
import type { AttemptKind } from '../errors.ts'
import { type AttemptRecord, attemptChannel, requestChannel } from './channels.ts'
import type { Meters } from './meters.ts'

export interface RequestWatchParts {
  readonly clock: Clock
  readonly meters: Meters
  /** The pool, as channels name it. */
  readonly pool: object
  /** An attempt reached its site. */
  readonly onReached: (attempt: DeviceAttempt) => void
  /** Takes every attempt, whom its request was for, and the path of its target; null: nobody wants them. */
  readonly onAttempt: ((record: AttemptRecord, owner: unknown, path: string) => void) | null
}

/** The site itself had to do with these. */
const REACHED: ReadonlySet<AttemptKind> = new Set(['answered', 'banned', 'target_error', 'response_broken'])

/** Looks at every request once, when it is over, for all who count, report or listen. */
export class RequestWatch {
  readonly #parts: RequestWatchParts

  constructor(parts: RequestWatchParts) {
    this.#parts = parts
  }

  requestOver(run: Errand, outcome: RequestOutcome): void {
    const { meters, onReached, onAttempt } = this.#parts
    const isRecorded = onAttempt !== null || attemptChannel.hasSubscribers
    const { attempts } = run
    // Once a request: an iterator would cost as much as what is counted.
    for (let index = 0; index < attempts.length; index++) {
      const attempt = attempts[index] as DeviceAttempt
      meters.count(attempt.device, attempt)
      if (REACHED.has(attempt.kind)) onReached(attempt)
      if (isRecorded) this.#record(run, attempt, index + 1)
    }
    if (requestChannel.hasSubscribers) this.#publish(run, outcome)
  }

  #record(run: Errand, attempt: DeviceAttempt, number: number): void {
    const { pool, onAttempt } = this.#parts
    const { startedAt, bytesIn, bytesOut } = attempt
    const session = run.view.sticky?.key ?? null
    const record = { ...attempt.report, ...whereOf(run), attempt: number, startedAt, bytesIn, bytesOut, session }
    onAttempt?.(record, run.view.owner, String(run.options.path))
    if (attemptChannel.hasSubscribers) attemptChannel.publish({ pool, ...record })
  }

  #publish(run: Errand, outcome: RequestOutcome): void {
    const { pool, clock } = this.#parts
    const { startedAt, reports } = run
    const durationMs = Math.round(clock.now() - startedAt)
    requestChannel.publish({ pool, ...whereOf(run), outcome, startedAt, durationMs, attempts: reports })
  }
}

/** An origin may carry credentials; nobody is told of them. */
const whereOf = ({ site, target: { hostname }, options: { method } }: Errand) => ({
  site: withoutCredentials(site),
  host: withoutCredentials(hostname),
  method: String(method),
})

const withoutCredentials = (host: string): string => host.slice(host.lastIndexOf('@') + 1)
