import { Script } from 'node:vm'
import type { RotationFailure } from '@mobilepool/sdk/contract'
import type { OutboundAnswer, OutboundFailure, OutboundResult } from '../../../outbound/outbound.ts'
import { quote } from './secrets.ts'

/**
 * What the answer of a rotation URL means. `accepted` proves nothing of the exit IP; `remark` then says what was odd.
 * Details are for people and hold no secret.
 */
export type CallVerdict =
  | { kind: 'accepted'; remark: string | null }
  /** Not now; `waitMs` where the provider says how long. */
  | { kind: 'wait'; reason: 'too_soon' | 'busy'; waitMs: number | null; detail: string }
  | { kind: 'refused'; reason: RotationFailure; detail: string }

/** What one answer is judged by. */
export interface AnswerRules {
  /** Regular expression that a good answer's text matches; null: the usual answers of providers. */
  successPattern: string | null
  secrets: readonly string[]
  /** For a `Retry-After` that is a date, ms. */
  now: number
}

/** What is looked at of an answer; providers' answers have a few hundred bytes. */
const LOOKED_AT = 4_096
/** An admin's pattern may be one that backtracks for ever. */
const PATTERN_TIMEOUT_MS = 100

/** Statuses that mean "not now". */
const WAITS = new Map<number, 'too_soon' | 'busy'>([
  [409, 'busy'],
  [423, 'busy'],
  [425, 'too_soon'],
  [429, 'too_soon'],
])
const BAD_VALUES = new Set(['err', 'error', 'fail', 'failed', 'failure', 'false', '0', 'ko'])
// `\b` and `\w` know Latin letters only.
const WAIT_WORDS =
  /(?<!\p{L})(wait|too (?:soon|often|many|fast|early|frequent\p{L}*)|try again|cool-?down|rate.?limit|once (?:per|every|in)|seconds? left|not allowed yet|подожд\p{L}+|слишком част\p{L}+)/iu
const BUSY_WORDS = /\b(already (?:running|rotating|in progress)|in progress|is rotating|busy|locked)\b/i
const AUTH_WORDS = /\b(unauthori[sz]ed|forbidden|invalid (?:token|key|proxy_key|credentials)|wrong (?:token|key)|access denied|expired)\b/i
const SPAN =
  /(\d{1,6}(?:\.\d+)?)\s*(ms|milliseconds?|s|secs?|seconds?|сек\p{L}*|m|mins?|minutes?|мин\p{L}*|h|hours?|час\p{L}*)?(?![\p{L}\d])/iu

export function readAnswer(result: OutboundResult, rules: AnswerRules): CallVerdict {
  if (!result.isAnswer) return ofFailure(result)
  const text = result.text.slice(0, LOOKED_AT)
  const said = quote(text, rules.secrets)
  const answered = `The rotation URL answered ${result.status}${said === '' ? '' : `: ${said}`}`
  if (result.status < 200 || result.status > 299) return ofStatus(result, text, answered, rules.now)
  if (rules.successPattern !== null) {
    const isGood = matches(rules.successPattern, text)
    if (isGood === true) return { kind: 'accepted', remark: null }
    if (isGood === null)
      return { kind: 'refused', reason: 'unsupported', detail: 'rotation_success_pattern takes too long: make it simpler.' }
    return complaint(text, result, `${answered}, which rotation_success_pattern does not match`, rules.now)
  }
  if (isHtml(result)) return { kind: 'accepted', remark: 'The rotation URL answered with a web page: is it the right URL?' }
  return isComplaint(text) ? complaint(text, result, answered, rules.now) : { kind: 'accepted', remark: null }
}

function ofFailure({ why, detail }: OutboundFailure): CallVerdict {
  // The call may have arrived and be at work: the exit IP will tell.
  if (why === 'timed_out') return { kind: 'accepted', remark: `The rotation URL gave no answer: ${detail}` }
  const reasons: Record<Exclude<typeof why, 'timed_out'>, RotationFailure> = {
    bad_url: 'unsupported',
    target_refused: 'permission_denied',
    too_many_redirects: 'unsupported',
    unreachable: 'device_unreachable',
    canceled: 'canceled',
  }
  return { kind: 'refused', reason: reasons[why], detail: `The rotation URL cannot be called: ${detail}` }
}

function ofStatus(answer: OutboundAnswer, text: string, answered: string, now: number): CallVerdict {
  const { status } = answer
  if (status === 401 || status === 403) return { kind: 'refused', reason: 'auth_failed', detail: answered }
  const reason = WAITS.get(status) ?? (status === 503 && answer.headers['retry-after'] !== undefined ? 'busy' : undefined)
  if (reason) return { kind: 'wait', reason, waitMs: waitOf(answer, text, now), detail: answered }
  return { kind: 'refused', reason: status >= 500 ? 'device_unreachable' : 'unsupported', detail: answered }
}

function complaint(text: string, answer: OutboundAnswer, detail: string, now: number): CallVerdict {
  if (WAIT_WORDS.test(text)) return { kind: 'wait', reason: 'too_soon', waitMs: waitOf(answer, text, now), detail }
  if (BUSY_WORDS.test(text)) return { kind: 'wait', reason: 'busy', waitMs: waitOf(answer, text, now), detail }
  return { kind: 'refused', reason: AUTH_WORDS.test(text) ? 'auth_failed' : 'device_unreachable', detail }
}

/** Whether a 2xx answer says that nothing will happen: `{"ok":0}`, `{"status":"err"}`, `error: ...`, `please wait 30 s`. */
function isComplaint(text: string): boolean {
  const json = asObject(text)
  if (!json) return /^\W*(?:err|fail)/i.test(text) || WAIT_WORDS.test(text)
  const { ok, success, status, result, error, errors } = json
  const isBad = [ok, success, status, result].some((value) => value !== undefined && BAD_VALUES.has(String(value).toLowerCase()))
  return isBad || isGiven(error) || isGiven(errors)
}

const isGiven = (value: unknown): boolean =>
  value !== undefined && value !== null && value !== false && value !== 0 && value !== '' && !(Array.isArray(value) && value.length === 0)

function asObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}

const isHtml = ({ headers, text }: OutboundAnswer): boolean =>
  /html/i.test(headers['content-type'] ?? '') && /^\s*<(?:!doctype|html|head|body)/i.test(text)

/** How long the provider asks to wait, ms: by header, by a JSON number, or by a span in the text. */
function waitOf({ headers }: OutboundAnswer, text: string, now: number): number | null {
  const header = headers['retry-after']
  if (header !== undefined) {
    const waitMs = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - now
    if (Number.isFinite(waitMs)) return Math.max(0, waitMs)
  }
  const fields = asObject(text) ?? {}
  for (const name of ['retry_after', 'retryAfter', 'wait', 'wait_seconds', 'seconds', 'seconds_left', 'cooldown', 'timeout']) {
    const value = fields[name]
    if ((typeof value === 'number' || typeof value === 'string') && /^\d+(\.\d+)?$/.test(String(value))) return Number(value) * 1000
  }
  const span = SPAN.exec(text.slice(Math.max(0, text.search(WAIT_WORDS))))
  if (!span) return null
  const unit = (span[2] ?? 's').toLowerCase()
  const unitMs =
    unit.startsWith('ms') || unit.startsWith('milli') ? 1 : /^(m|мин)/.test(unit) ? 60_000 : /^(h|час)/.test(unit) ? 3_600_000 : 1_000
  return Number(span[1]) * unitMs
}

/** Null: it takes too long. */
function matches(pattern: string, text: string): boolean | null {
  try {
    return Boolean(new Script('new RegExp(pattern).test(text)').runInNewContext({ pattern, text }, { timeout: PATTERN_TIMEOUT_MS }))
  } catch {
    return null
  }
}
