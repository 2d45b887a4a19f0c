import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2'
import { tunnelDetailHeader, tunnelErrorHeader } from '@mobilepool/sdk/contract'
import { authorityOf, ProxyError, type ProxyTarget, type ReplyCode, replyStatuses } from '@mobilepool/sdk/proxy-server'
import { TunnelStream } from '@mobilepool/sdk/tunnel'

/** Behind the agent's own limits: three addresses of 8 s each, and their name before that. */
const CONNECT_TIMEOUT_MS = 40_000
const LONGEST_DETAIL = 500

/** Asks the agent for a connection to a target. Throws Node's error where the session takes no more streams. */
export const openConnection = (session: ClientHttp2Session, target: ProxyTarget): ClientHttp2Stream =>
  session.request({ ':method': 'CONNECT', ':authority': authorityOf(target) }, { endStream: false })

/**
 * The connection when the agent has made it. Throws `ProxyError`: the agent's reason, `offline` when the session is lost before, and the
 * signal's reason when it aborts; the agent is told then, and gives its own dial up.
 */
export function whenAnswered(stream: ClientHttp2Stream, signal: AbortSignal): Promise<TunnelStream> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      stream.off('close', onLost)
    }
    const fail = (error: unknown): void => {
      settle()
      stream.on('error', () => {}).destroy(new Error('given up'))
      reject(error)
    }
    const onAbort = (): void => fail(signal.reason)
    const onLost = (): void => fail(new ProxyError('offline', 'The tunnel to the device was lost while it connected.'))
    const timer = setTimeout(
      () => fail(new ProxyError('connect_timeout', `The device did not connect within ${CONNECT_TIMEOUT_MS / 1_000} s.`)),
      CONNECT_TIMEOUT_MS,
    )
    stream.once('error', onLost)
    stream.once('close', onLost)
    stream.once('response', (headers) => {
      if (headers[':status'] !== 200) return fail(refusalIn(headers))
      settle()
      stream.off('error', onLost)
      const opened = new TunnelStream(stream)
      // It may be reset before whoever asked for it listens: that would end the process.
      opened.on('error', () => {})
      resolve(opened)
    })
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort)
  })
}

/** What the agent says is checked like anything from outside: devices can be stolen. */
function refusalIn(headers: IncomingHttpHeaders): ProxyError {
  const { [tunnelErrorHeader]: code, [tunnelDetailHeader]: detail } = headers
  const known = typeof code === 'string' && Object.hasOwn(replyStatuses, code) ? (code as ReplyCode) : 'upstream_failed'
  return new ProxyError(known, typeof detail === 'string' ? decoded(detail) : 'The device could not connect.')
}

function decoded(detail: string): string {
  try {
    return decodeURIComponent(detail)
      .replaceAll(/[^\x20-\x7e]/g, ' ')
      .slice(0, LONGEST_DETAIL)
  } catch {
    return 'The device could not connect.'
  }
}
