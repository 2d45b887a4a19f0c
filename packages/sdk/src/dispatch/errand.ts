import type { Applicant } from '../core/admission-queue.ts'
import type { Device } from '../core/device.ts'
import type { JudgedAttempt } from '../core/judge.ts'
import type { AttemptReport, MobilePoolError } from '../errors.ts'
import type { DeviceAttempt } from './device-attempt.ts'
import type { RequestOutcome, RetrySettings } from './run-host.ts'

/** Something that needs a device: a request, or a path for bytes. The engine answers its `admit` through these. */
export interface Errand extends Applicant {
  /** What was tried so far, in order. */
  readonly attempts: readonly DeviceAttempt[]
  readonly reports: readonly AttemptReport[]
  /** Where `UnderWay` keeps it; -1: not there. */
  place: number
  /** Milliseconds since 1970. */
  readonly startedAt: number
  readonly target: { readonly hostname: string }
  /** What is asked of the target; a path has method `CONNECT` and no path. */
  readonly options: { readonly method: string; readonly path: string }
  /** It has to wait. */
  queued(): void
  /** A device is its own now, until it says `release`. */
  assigned(device: Device): void
  /** No device will come. */
  refused(error: MobilePoolError): void
  /** Ends it wherever it is. */
  abort(reason: Error): void
  /** Ends it unless it has what it wanted: an answer that begins, a path that stands. */
  cut(reason: Error): void
}

/** What every errand needs of the pool that carries it. */
export interface ErrandHost {
  readonly retry: RetrySettings
  now(): number
  siteOf(hostname: string): string
  /** Asks for a device: sooner or later `assigned` or `refused` is called. */
  admit(errand: Errand): void
  /** It no longer waits. */
  withdraw(errand: Errand): void
  noteAttemptEnd(attempt: JudgedAttempt): void
  noteComplete(device: Device): void
  noteRetry(errand: Errand, failed: AttemptReport): void
  /** It went on to a second device whose connection stood first. */
  noteHedge(errand: Errand, slow: AttemptReport): void
  judge(attempts: readonly JudgedAttempt[], servedBy: Device | null, site: string): void
  /** The device has finished with it. */
  release(device: Device, site: string): void
  /** It is over, and no request that would be counted. */
  leave(errand: Errand): void
  /** What it came to, told once. */
  settled(errand: Errand, outcome: RequestOutcome): void
}
