import type { AttemptKind } from '../errors.ts'
import { deviceSays } from './device-says.ts'
import type { ResponseHeaders } from './handlers.ts'

export interface ResponseRules {
  /** Statuses that mean: this exit IP is banned here. */
  readonly banStatuses: ReadonlySet<number>
  /** Statuses that are worth another exit, without anybody being banned. */
  readonly retryStatuses: ReadonlySet<number>
}

/** What a response head says about its attempt. */
export interface ResponseVerdict {
  readonly kind: AttemptKind
  /** The target has not seen the request. */
  readonly isUnforwarded: boolean
}

/**
 * Reads a response head. Only in absolute form can an answer come from the device's proxy itself; inside a tunnel the same status
 * or header is the target's word and is believed as such.
 */
export function classifyResponse(
  statusCode: number,
  headers: ResponseHeaders,
  isAbsoluteForm: boolean,
  rules: ResponseRules,
): ResponseVerdict {
  if (isAbsoluteForm) {
    const word = deviceSays(statusCode, headers)
    if (word !== undefined) return word
    if (statusCode === 407) return DEVICE_AUTH
  }
  if (rules.banStatuses.has(statusCode)) return BANNED
  return rules.retryStatuses.has(statusCode) ? TARGET_ERROR : ANSWERED
}

const DEVICE_AUTH: ResponseVerdict = { kind: 'device_auth', isUnforwarded: true }
const BANNED: ResponseVerdict = { kind: 'banned', isUnforwarded: false }
const TARGET_ERROR: ResponseVerdict = { kind: 'target_error', isUnforwarded: false }
const ANSWERED: ResponseVerdict = { kind: 'answered', isUnforwarded: false }
