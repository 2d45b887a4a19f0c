import { Script } from 'node:vm'
import type { RotationFailure } from '@mobilepool/sdk/contract'
import type { DeviceAnswer } from '../device-http.ts'

/** What a provider's answer means; `accepted` proves nothing of the exit IP. */
export type Verdict =
  | { readonly kind: 'accepted' }
  /** Not now: `waitMs` where the provider says how long. */
  | { readonly kind: 'wait'; readonly reason: 'too_soon' | 'busy'; readonly waitMs: number | null }
  | { readonly kind: 'refused'; readonly reason: RotationFailure }

/** Answers have a few hundred bytes. */
const LOOKED_AT = 4_096
/** A pattern may be one that backtracks for ever. */
const PATTERN_TIMEOUT_MS = 100

const statuses = new Map<number, Verdict>([
  [401, { kind: 'refused', reason: 'auth_failed' }],
  [403, { kind: 'refused', reason: 'auth_failed' }],
  [404, { kind: 'refused', reason: 'unsupported' }],
  [405, { kind: 'refused', reason: 'unsupported' }],
])
const waits = new Map<number, 'too_soon' | 'busy'>([
  [409, 'busy'],
  [423, 'busy'],
  [425, 'too_soon'],
  [429, 'too_soon'],
])
const NO = new Set(['err', 'error', 'fail', 'failed', 'failure', 'false', '0'])
const WAIT_WORDS =
  /\b(wait|too (?:soon|often|many|fast|early|frequent)|try again|cool-?down|rate.?limit|seconds? left)|подожд|слишком част/i
const SPAN = /(\d{1,5})\s*(ms|min|m|s|с|м|h)?/i
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, с: 1_000, m: 60_000, min: 60_000, м: 60_000, h: 3_600_000 }

/** Reads an answer. Without a pattern, what providers usually say counts: a 2xx that is no complaint. */
export function judge(answer: DeviceAnswer, successPattern: string | undefined, now: number): Verdict {
  const text = answer.text.slice(0, LOOKED_AT)
  const { status, headers } = answer
  const reason = waits.get(status) ?? (status === 503 && headers['retry-after'] !== undefined ? 'busy' : undefined)
  if (reason) return { kind: 'wait', reason, waitMs: waitOf(answer, text, now) }
  if (status < 200 || status > 299) return statuses.get(status) ?? { kind: 'refused', reason: 'device_unreachable' }
  if (successPattern !== undefined ? matches(successPattern, text) : !isComplaint(text)) return { kind: 'accepted' }
  if (WAIT_WORDS.test(text)) return { kind: 'wait', reason: 'too_soon', waitMs: waitOf(answer, text, now) }
  return { kind: 'refused', reason: 'device_unreachable' }
}

/** A 2xx that says that nothing will happen: `{"ok":0}`, `{"status":"err"}`, `error: ...`, `please wait 30 s`. */
function isComplaint(text: string): boolean {
  const fields = objectIn(text)
  if (!fields) return /^\W*(?:err|fail)/i.test(text) || WAIT_WORDS.test(text)
  const { ok, success, status, result, error } = fields
  return [ok, success, status, result].some((value) => value !== undefined && NO.has(String(value).toLowerCase())) || Boolean(error)
}

function objectIn(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}

/** How long it asks to wait, in ms: by header, or by the first span in the text. */
function waitOf({ headers }: DeviceAnswer, text: string, now: number): number | null {
  const header = headers['retry-after']
  if (header !== undefined) {
    const waitMs = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - now
    if (Number.isFinite(waitMs)) return Math.max(0, waitMs)
  }
  const span = SPAN.exec(text.slice(Math.max(0, text.search(WAIT_WORDS))))
  return span ? Number(span[1]) * (UNIT_MS[span[2]?.toLowerCase() ?? 's'] ?? 1_000) : null
}

function matches(pattern: string, text: string): boolean {
  try {
    return Boolean(new Script('new RegExp(pattern).test(text)').runInNewContext({ pattern, text }, { timeout: PATTERN_TIMEOUT_MS }))
  } catch {
    return false
  }
}
