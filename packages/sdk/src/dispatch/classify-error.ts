import { type AttemptKind, MobilePoolError, type MobilePoolErrorCode, type Phase } from '../errors.ts'
import { ProxyError } from '../proxy-server/index.ts'
import { errnoOf } from './connect-device.ts'
import { wordOf } from './device-says.ts'

export interface FailedAttempt {
  readonly kind: AttemptKind
  readonly phase: Phase
  readonly errno?: string
}

/** Our own errors: what attempt they make. Codes that no attempt can end with are not here. */
const byOwnCode: Partial<Record<MobilePoolErrorCode, AttemptKind>> = {
  MP_DEVICE_CONNECT: 'device_connect',
  MP_DEVICE_AUTH: 'device_auth',
  MP_DEVICE_DRAINING: 'draining',
  MP_DEVICE_OFFLINE: 'device_offline',
  MP_DEVICE_ROTATED: 'rotated',
  MP_TUNNEL_REFUSED: 'tunnel_refused',
  MP_TUNNEL_TIMEOUT: 'tunnel_timeout',
  MP_TARGET_TLS: 'target_tls',
  MP_RESPONSE_TIMEOUT: 'response_timeout',
}

/** undici's complaints about the request itself: every device would refuse it. */
const CALLERS_FAULTS = new Set([
  'UND_ERR_INVALID_ARG',
  'UND_ERR_NOT_SUPPORTED',
  'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH',
  'UND_ERR_RES_EXCEEDED_MAX_SIZE',
])

/** What an error of undici, of a socket or of ours says about the attempt that it ended. `hasBegun`: the response head had come. */
export function classifyError(error: Error, reached: 'unsent' | 'sent', hasBegun = false): FailedAttempt {
  const errno = errnoOf(error)
  if (error instanceof MobilePoolError) {
    const isDropped = error.code === 'MP_DEVICE_CONNECT' && error.phase === 'tunnel'
    const said = error.cause instanceof ProxyError ? wordOf(error.cause.code)?.kind : undefined
    const kind = isDropped ? 'tunnel_dropped' : (said ?? byOwnCode[error.code] ?? 'no_response')
    return { kind, phase: error.phase, ...(error.errno === undefined ? {} : { errno: error.errno }) }
  }
  const details = errno === undefined ? {} : { errno }
  if (errno !== undefined && CALLERS_FAULTS.has(errno)) return { kind: 'caller', phase: 'request', ...details }
  if (reached === 'unsent') return { kind: 'device_connect', phase: 'connect', ...details }
  if (hasBegun) return { kind: isTransportError(error, errno) ? 'response_broken' : 'caller', phase: 'body', ...details }
  if (errno === 'UND_ERR_HEADERS_TIMEOUT') return { kind: 'response_timeout', phase: 'response', ...details }
  return { kind: isTransportError(error, errno) ? 'no_response' : 'caller', phase: 'request', ...details }
}

/** An error of a socket or of undici (its parser's has no code), as opposed to one that the caller's request body threw. */
const isTransportError = ({ name }: Error, code: string | undefined): boolean =>
  name === 'HTTPParserError' || (code !== undefined && /^(E[A-Z]+|UND_ERR_.+|HPE_.+|ERR_(SSL|TLS|STREAM)_.+)$/.test(code))
