import type { BanMatch } from '../bans/ban-rule.ts'
import type { BanRules } from '../bans/ban-rules.ts'
import type { BodyTest } from '../bans/body-test.ts'
import type { AttemptKind } from '../errors.ts'
import { deviceSays } from './device-says.ts'
import type { ResponseHeaders } from './handlers.ts'

export interface ResponseRules {
  /** What tells that this exit IP is banned here. */
  readonly bans: BanRules
  /** Statuses that are worth another exit, without anybody being banned. */
  readonly retryStatuses: ReadonlySet<number>
}

/** What a response head says about its attempt. */
export interface ResponseVerdict {
  readonly kind: AttemptKind
  /** The target has not seen the request. */
  readonly isUnforwarded: boolean
  /** By which rule it is a ban. */
  readonly match: BanMatch | null
  /** The beginning of the body may still tell that it is one. */
  readonly bodyTest: BodyTest | null
}

/** A request, as far as rules look at it. */
export interface JudgedRequest {
  readonly options: { readonly method: string }
  readonly target: { readonly hostname: string }
}

/**
 * Reads a response head. `isAbsoluteForm`: the request went to the device's proxy in absolute form. Only in absolute form can an answer come from the device's proxy itself; inside a tunnel the same status
 * or header is the target's word and is believed as such.
 */
export function classifyResponse(
  statusCode: number,
  headers: ResponseHeaders,
  { options, target }: JudgedRequest,
  isAbsoluteForm: boolean,
  rules: ResponseRules,
): ResponseVerdict {
  if (isAbsoluteForm) {
    const word = deviceSays(statusCode, headers)
    if (word !== undefined) return { ...word, match: null, bodyTest: null }
    if (statusCode === 407) return DEVICE_AUTH
  }
  const { match, bodyTest } = rules.bans.judgeHead(options.method, target.hostname, statusCode, headers)
  if (match !== null) return { kind: 'banned', isUnforwarded: false, match, bodyTest: null }
  const plain = rules.retryStatuses.has(statusCode) ? TARGET_ERROR : ANSWERED
  return bodyTest === null ? plain : { ...plain, bodyTest }
}

const DEVICE_AUTH: ResponseVerdict = { kind: 'device_auth', isUnforwarded: true, match: null, bodyTest: null }
const TARGET_ERROR: ResponseVerdict = { kind: 'target_error', isUnforwarded: false, match: null, bodyTest: null }
const ANSWERED: ResponseVerdict = { kind: 'answered', isUnforwarded: false, match: null, bodyTest: null }
