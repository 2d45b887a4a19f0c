import type { Device } from '../core/device.ts'
import type { ExitMemory } from '../core/quarantine.ts'
import type { AttemptKind, AttemptReport } from '../errors.ts'
import type { Attempt } from './attempt.ts'
import type { ResponseRules } from './classify-response.ts'
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
export interface RunHost {
  readonly retry: RetrySettings
  readonly rules: ResponseRules
  readonly firstByteTimeoutMs: number
  readonly exposeHeaders: boolean
  now(): number
  siteOf(hostname: string): string
  /** Asks for a device: sooner or later `assigned` or `refused` is called on the run. */
  admit(run: RequestRun): void
  /** The run no longer waits. */
  withdraw(run: RequestRun): void
  send(run: RequestRun, attempt: Attempt): void
  usesAbsoluteForm(device: Device, run: RequestRun): boolean
  /** Whether giving up an answer of this kind is worth it: another device may serve the run, now or soon. */
  hasHope(run: RequestRun, kind: AttemptKind): boolean
  /** Takes one retry out of the budget; false when there is none. */
  spendRetry(): boolean
  noteBan(run: RequestRun, attempt: Attempt, retryAfterMs: number | undefined, report: AttemptReport): void
  noteAnswer(exit: ExitMemory, site: string): void
  noteAttemptEnd(attempt: Attempt): void
  noteComplete(device: Device): void
  noteRetry(run: RequestRun, failed: AttemptReport): void
  judge(attempts: readonly Attempt[], servedBy: Device | null, site: string): void
  /** The device has finished one request to the site. */
  release(device: Device, site: string): void
  settled(run: RequestRun, outcome: RequestOutcome): void
}
