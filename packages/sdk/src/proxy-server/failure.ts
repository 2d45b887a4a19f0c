import { ProxyError } from './proxy-error.ts'
import { type ReplyCode, replyStatuses } from './statuses.ts'

/** A failure that has its answer: what `reply.ts` sends and observers see. */
export interface Failure {
  /** Decides the status; see `replyStatuses`. */
  readonly code: ReplyCode
  /** One sentence for people; never holds a credential. */
  readonly detail: string
  /** Seconds; left out: those of the code. */
  readonly retryAfterS?: number
}

/** Node's error codes and what they mean to the client. */
const meanings: Record<string, { code: ReplyCode; detail: string }> = {
  ENOTFOUND: { code: 'dns_failed', detail: 'The name of the target has no address.' },
  EAI_AGAIN: { code: 'dns_failed', detail: 'The name server did not answer.' },
  ECONNREFUSED: { code: 'connection_refused', detail: 'The target refused the connection.' },
  ECONNRESET: { code: 'connection_reset', detail: 'The connection to the target was reset.' },
  ECONNABORTED: { code: 'connection_reset', detail: 'The connection to the target was cut on this side.' },
  EPIPE: { code: 'broken_pipe', detail: 'The target stopped reading.' },
  ETIMEDOUT: { code: 'connect_timeout', detail: 'The target did not answer in time.' },
  EADDRNOTAVAIL: { code: 'offline', detail: 'The source address of this device is gone: it has no network now.' },
  ENETUNREACH: { code: 'network_unreachable', detail: 'There is no route to the network of the target.' },
  EHOSTUNREACH: { code: 'host_unreachable', detail: 'There is no route to the target.' },
}

/** Says what an error on the way to the target means. Texts of foreign errors are not passed on: they can hold anything. */
export function failureOf(error: unknown): Failure {
  if (error instanceof ProxyError && error.code in replyStatuses) {
    const { code, message: detail, retryAfterS } = error
    return { code: code as ReplyCode, detail, ...(retryAfterS === undefined ? {} : { retryAfterS }) }
  }
  const { code, syscall } = (error ?? {}) as { code?: unknown; syscall?: unknown }
  if (typeof code === 'string') {
    // A name server that refuses or does not answer has the codes of a target that does.
    if (typeof syscall === 'string' && (syscall.startsWith('query') || syscall === 'getaddrinfo')) {
      const isUnknown = code === 'ENOTFOUND' || code === 'ENODATA'
      return {
        code: 'dns_failed',
        detail: isUnknown ? 'The name of the target has no address.' : `The name server did not help (${code}).`,
      }
    }
    const meaning = meanings[code]
    if (meaning) return meaning
    if (code.startsWith('HPE_') || code.startsWith('ERR_HTTP_') || code === 'ERR_INVALID_CHAR')
      return { code: 'bad_response', detail: `The target's answer is not valid HTTP/1.1 (${code}).` }
    return { code: 'upstream_failed', detail: `The connection to the target failed (${code}).` }
  }
  return { code: 'upstream_failed', detail: 'The connection to the target failed.' }
}
