import type { ReplyCode } from './statuses.ts'

/** `open_proxy`: a listener beyond loopback without `authenticate`. `listen_failed`: the port or address cannot be had. */
export type SetupErrorCode = 'bad_options' | 'open_proxy' | 'listen_failed'

/**
 * The error of the proxy server. Thrown by `connect()` it decides what the client is told: the code's status, and `message` as the
 * detail, so a message never holds a credential.
 */
export class ProxyError extends Error {
  override readonly name = 'ProxyError'
  /** Decides the status that the client is told; see `replyStatuses`. */
  readonly code: ReplyCode | SetupErrorCode
  /** Seconds for `Retry-After`, where more is known than what the code stands for. */
  readonly retryAfterS: number | undefined

  constructor(code: ReplyCode | SetupErrorCode, message: string, options?: { cause?: unknown; retryAfterS?: number | undefined }) {
    super(message, options)
    this.code = code
    this.retryAfterS = options?.retryAfterS
  }
}
