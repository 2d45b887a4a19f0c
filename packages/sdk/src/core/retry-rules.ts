import type { AttemptKind } from '../errors.ts'

/** Methods whose repetition has no further effect (RFC 9110, 9.2.2, and QUERY). */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE', 'QUERY'])

/** What decides whether a request may be sent once more. */
export interface RepeatFacts {
  /**
   * How far the failed attempt came. `unsent`: its request line was never written. `not_forwarded`: the device said that it did
   * not pass it on. `sent`: the target may have acted on it.
   */
  readonly reached: 'unsent' | 'not_forwarded' | 'sent'
  readonly method: string
  /** The body can be sent again: none, bytes in memory, or buffered. */
  readonly isReplayable: boolean
  /** The caller vouches for it: an `Idempotency-Key` header, or undici's `idempotent: true`. */
  readonly isDeclaredIdempotent: boolean
}

/**
 * Failed before its request line was written: any method, and the body is untouched.
 * Not forwarded: any method, if the body can be sent again.
 * Sent: idempotent methods (or all, where the caller asked for that) with a body that can be sent again.
 */
export function mayRepeat(facts: RepeatFacts, methods: 'idempotent' | 'all'): boolean {
  if (facts.reached === 'unsent') return true
  if (!facts.isReplayable) return false
  if (facts.reached === 'not_forwarded') return true
  return facts.isDeclaredIdempotent || mayRepeatMethod(facts.method, methods)
}

/** Whether the method alone allows that the target meets a request twice. */
export const mayRepeatMethod = (method: string, methods: 'idempotent' | 'all'): boolean => methods === 'all' || IDEMPOTENT.has(method)

/** Whether one more attempt may be made. A device that is draining, or was too slow to connect, has not taken the request: that is no attempt, and only time bounds it. */
export const attemptsAreLeft = (made: readonly { readonly kind: AttemptKind }[], allowed: number): boolean =>
  made.filter(({ kind }) => kind !== 'draining' && kind !== 'hedged').length < allowed
