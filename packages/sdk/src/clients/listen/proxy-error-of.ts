import { MobilePoolError, type MobilePoolErrorCode } from '../../errors.ts'
import { ProxyError, type ReplyCode, replyStatuses, type SetupErrorCode } from '../../proxy-server/index.ts'

/** What a client of a local proxy is told for each of the pool's errors; the others cannot happen there. */
const replies: Partial<Record<MobilePoolErrorCode, ReplyCode>> = {
  MP_NO_DEVICE: 'no_device',
  MP_QUEUE_TIMEOUT: 'no_device',
  MP_QUEUE_FULL: 'no_device',
  MP_CLOSED: 'no_device',
  MP_ALL_BANNED: 'all_banned',
  MP_SESSION_IP_CHANGED: 'session_ip_changed',
  MP_LEASE_LOST: 'lease_lost',
  MP_LEASE_RELEASED: 'lease_lost',
  MP_DEVICE_DRAINING: 'draining',
  MP_DEVICE_OFFLINE: 'offline',
  MP_DEVICE_ROTATED: 'connection_reset',
  MP_NO_RESPONSE: 'connection_reset',
  MP_RESPONSE_BROKEN: 'connection_reset',
  MP_RESPONSE_TIMEOUT: 'idle_timeout',
  MP_TUNNEL_TIMEOUT: 'connect_timeout',
}

/** The proxy server's word for an error of the pool: `Retry-After` where the pool knows when, the 59x of a device's own proxy kept. */
export function proxyErrorOf(error: unknown): unknown {
  if (!(error instanceof MobilePoolError)) {
    const { code } = (error ?? {}) as { code?: unknown }
    return code === 'UND_ERR_INVALID_ARG' || code === 'UND_ERR_NOT_SUPPORTED'
      ? new ProxyError('bad_request', (error as Error).message, { cause: error })
      : error
  }
  const { code, message, statusCode, cause, retryAfterMs } = error
  if (code === 'MP_RETRIES_EXHAUSTED' && cause instanceof MobilePoolError) {
    return new ProxyError((proxyErrorOf(cause) as ProxyError).code, message, { cause: error })
  }
  const reply = replies[code] ?? (code === 'MP_TUNNEL_REFUSED' ? replyOf(statusCode, cause) : 'upstream_failed')
  const retryAfterS = retryAfterMs === undefined ? undefined : Math.max(1, Math.ceil(retryAfterMs / 1_000))
  return new ProxyError(reply, message, { cause: error, retryAfterS })
}

/** Statuses that say what became of the connection to the target. */
const tellingStatuses: readonly ReplyCode[] = [
  'connect_timeout',
  'bad_response',
  'dns_failed',
  'connection_refused',
  'connection_reset',
  'broken_pipe',
  'target_refused',
]

/** A device of ours says by its code what several have the same status for. */
const replyOf = (status: number | undefined, cause: unknown): ReplyCode | SetupErrorCode =>
  cause instanceof ProxyError ? cause.code : (tellingStatuses.find((code) => replyStatuses[code].status === status) ?? 'upstream_failed')
