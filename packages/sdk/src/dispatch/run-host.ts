import type { BanMatch } from '../bans/ban-rule.ts'
import type { Device } from '../core/device.ts'
import type { AttemptKind, AttemptReport } from '../errors.ts'
import type { Attempt } from './attempt.ts'
import type { ResponseRules } from './classify-response.ts'
import type { Deadlines } from './deadlines.ts'
import type { ErrandHost } from './errand.ts'
import type { Hedge } from './hedge.ts'
import type { RequestRun } from './request-run.ts'

export interface RetrySettings {
  /** Attempts a request, the first included. */
  readonly attempts: number
  readonly methods: 'idempotent' | 'all'
  /** No further attempt begins after this time, ms. */
  readonly maxElapsedMs: number
  readonly maxReplayBytes: number
}

/** How a request ended for its caller: with a response, with an error, or by the caller's own abort. */
export type RequestOutcome = 'answered' | 'failed' | 'aborted'

/** What a request needs of the pool that carries it. */
export interface RunHost extends ErrandHost {
  readonly rules: ResponseRules
  readonly firstByteTimeoutMs: number
  readonly bodyTimeoutMs: number
  readonly exposeHeaders: boolean
  readonly deadlines: Deadlines
  send(run: RequestRun, attempt: Attempt): void
  /** Whether giving up an answer of this kind is worth it: another device may serve the run, now or soon. */
  hasHope(run: RequestRun, kind: AttemptKind): boolean
  /** Takes one retry out of the budget; false when there is none. */
  spendRetry(): boolean
  noteBan(run: RequestRun, attempt: Attempt, retryAfterMs: number | undefined, report: AttemptReport, match: BanMatch): void
  /** The caller gets this answer. */
  noteDelivery(run: RequestRun, attempt: Attempt): void
  /** The request begins to connect through this device: a second may be asked if that takes long. Null: none ever is. */
  hedge(run: RequestRun, first: Device): Hedge<RequestRun> | null
}
