import type { AttemptCause, RotationFailure, RotationOutcome } from '@mobilepool/sdk/contract'
import type { AttemptRecord, RotationRecord, SeenBefore } from '../../store/index.ts'

/** What trying again cannot cure, or must not be tried again. */
const NOT_TRIED_AGAIN = new Set<RotationFailure>([
  'canceled',
  'unsupported',
  'permission_denied',
  'auth_failed',
  'sim_missing',
  'sim_locked',
  'egress_leak',
])
/** A provider that asks for a longer wait is not waited for. */
export const LONGEST_WAIT_MS = 900_000
const MAX_DETAIL = 500

/** A rotation's turn has come: its next attempt begins. */
export function beginAttempt(
  rotation: RotationRecord,
  exitIp: string | null,
  now: number,
  { maxTimeMs, before, newId }: { maxTimeMs: number; before: SeenBefore; newId: () => string },
): { rotation: RotationRecord; attempt: AttemptRecord } {
  const number = rotation.attempt + 1
  const isFirst = number === 1
  const begun: RotationRecord = {
    ...rotation,
    state: 'draining',
    attempt: number,
    oldIp: isFirst ? (exitIp ?? rotation.oldIp) : rotation.oldIp,
    detail: null,
    notBefore: null,
    startedAt: rotation.startedAt ?? now,
    deadlineAt: now + maxTimeMs,
  }
  const attempt: AttemptRecord = {
    id: isFirst ? rotation.id : newId(),
    rotationId: rotation.id,
    number,
    cause: causeOf(rotation),
    method: null,
    outcome: null,
    oldIp: exitIp,
    newIp: null,
    reason: null,
    detail: null,
    before,
    startedAt: now,
    calledAt: null,
    endedAt: null,
  }
  return { rotation: begun, attempt }
}

/** Why the next attempt is made. */
const causeOf = (rotation: RotationRecord): AttemptCause => {
  if (rotation.attempt === 0) return 'asked'
  // A rotation that has not ended although its IP changed goes on because that IP was no new one.
  return rotation.newIp === null ? 'retry' : 'unique'
}

/** The attempt as its end left it. */
export const endAttempt = (attempt: AttemptRecord, ended: RotationRecord): AttemptRecord => ({
  ...attempt,
  method: ended.method,
  outcome: ended.state as RotationOutcome,
  oldIp: attempt.oldIp ?? ended.oldIp,
  newIp: ended.newIp,
  reason: ended.reason,
  detail: ended.detail,
  endedAt: ended.endedAt,
})

/** What decides whether there is another attempt. */
export interface Afterwards {
  retryDelayMs: number
  /** How long a provider asked to wait, ms. */
  waitMs?: number | null
  /** When the new exit IP was last seen within the time that `unique` asks for; null: not. */
  seenBeforeAt?: number | null
}

/**
 * What an attempt's end means for its rotation. `ended` is the rotation as it would be if this were all; `running` as it was before.
 * Either it has ended, or it waits (`queued`) for another attempt.
 */
export function afterAttempt(
  running: RotationRecord,
  ended: RotationRecord,
  { retryDelayMs, waitMs, seenBeforeAt }: Afterwards,
): RotationRecord {
  const now = ended.endedAt ?? 0
  const isLast = running.attempt >= running.maxAttempts
  const again = (newIp: string | null, why: string): RotationRecord => ({
    ...running,
    method: ended.method,
    state: 'queued',
    newIp,
    reason: null,
    detail: `Attempt ${running.attempt} of ${running.maxAttempts}: ${why}`.slice(0, MAX_DETAIL),
    notBefore: now + Math.max(retryDelayMs, waitMs ?? 0),
    deadlineAt: null,
    endedAt: null,
  })

  if (ended.state === 'changed') {
    if (typeof seenBeforeAt !== 'number') return ended
    const seen = `${ended.newIp} was seen ${ago(now - seenBeforeAt)} ago already, within ${running.uniqueWithin}.`
    return isLast ? { ...ended, detail: seen } : again(ended.newIp, seen)
  }
  const isHopeless = ended.reason !== null && NOT_TRIED_AGAIN.has(ended.reason)
  const isTooLong = (waitMs ?? 0) > LONGEST_WAIT_MS
  if (!isLast && !isHopeless && !isTooLong) return again(running.newIp, ended.detail ?? `${ended.state}.`)
  // The IP had changed before; only no unique one was found after that.
  if (ended.state === 'unchanged' && running.newIp !== null)
    return {
      ...ended,
      state: 'changed',
      newIp: running.newIp,
      detail: `${running.newIp} is new, but was seen within ${running.uniqueWithin}.`,
    }
  return ended
}

function ago(ms: number): string {
  const minutes = Math.max(0, Math.round(ms / 60_000))
  if (minutes < 120) return `${minutes} min`
  const hours = Math.round(minutes / 60)
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`
}
