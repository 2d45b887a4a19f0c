import { attemptsAreLeft, mayRepeat, type RepeatFacts } from '../core/retry-rules.ts'
import type { Attempt } from './attempt.ts'
import { headerValue } from './request-headers.ts'
import type { RequestRun } from './request-run.ts'
import type { RunHost } from './run-host.ts'

/**
 * Whether the request goes on to another device. `holdsAnswer`: there is a response that could be delivered instead,
 * so it is given up only when another device is there to ask.
 */
export function mayGoOn(run: RequestRun, host: RunHost, attempt: Attempt, reached: RepeatFacts['reached'], holdsAnswer: boolean): boolean {
  const retry = { ...host.retry, ...run.view.retry }
  const { method, idempotent, headers } = run.options
  const facts: RepeatFacts = {
    reached,
    method,
    isReplayable: run.isReplayable,
    isDeclaredIdempotent: idempotent === true || headerValue(headers, 'idempotency-key') !== undefined,
  }
  if (!mayRepeat(facts, retry.methods)) return false
  if (!attemptsAreLeft(run.attempts, retry.attempts) || host.now() >= run.startedAt + retry.maxElapsedMs) return false
  if (holdsAnswer && !host.hasHope(run, attempt.kind)) return false
  return reached === 'unsent' || attempt.kind === 'draining' || host.spendRetry()
}
