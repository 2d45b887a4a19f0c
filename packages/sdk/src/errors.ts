/**
 * Every code that a `MobilePoolError` can carry. Stable: switch on these, not on messages.
 *
 * | code | meaning |
 * |---|---|
 * | `MP_OPTIONS` | an option is wrong; the message names its path and what would be right |
 * | `MP_NO_DEVICE` | no device may serve the request, and waiting will not change that; the request was never sent directly instead |
 * | `MP_ALL_BANNED` | every device that is up is quarantined for the site; `until` says when the first may be used for it again |
 * | `MP_QUEUE_TIMEOUT` | every device that may serve the request stayed busy for `queue.timeoutMs` |
 * | `MP_QUEUE_FULL` | `queue.max` requests wait already |
 * | `MP_DEVICE_CONNECT` | the device's proxy could not be reached or broke off before it answered |
 * | `MP_DEVICE_AUTH` | the device's proxy did not accept the credentials in its URL |
 * | `MP_DEVICE_DRAINING` | the device is about to rotate and did not forward the request |
 * | `MP_DEVICE_OFFLINE` | the device has no mobile connection and did not forward the request |
 * | `MP_DEVICE_ROTATED` | the device rotated while the request was under way, and the grace time was over |
 * | `MP_TUNNEL_REFUSED` | the device's proxy answered CONNECT with another status than 2xx, or said that it could not reach the target |
 * | `MP_TUNNEL_TIMEOUT` | TCP, CONNECT and TLS together took longer than `timeouts.connectMs` |
 * | `MP_TARGET_TLS` | TLS with the target failed inside the tunnel |
 * | `MP_NO_RESPONSE` | the connection ended after the request was sent and before a response came |
 * | `MP_RESPONSE_TIMEOUT` | no response within `timeouts.firstByteMs` |
 * | `MP_RESPONSE_BROKEN` | the connection ended in the middle of the response body |
 * | `MP_RETRIES_EXHAUSTED` | several attempts failed; `attempts` lists them, `cause` is the last one's error |
 * | `MP_UNKNOWN_DEVICE` | the pool has no device of that id or name |
 * | `MP_ROTATION_UNSUPPORTED` | nothing is known that would rotate this device |
 * | `MP_ROTATION_TOO_SOON` | the device was rotated a moment ago; `retryAfterMs` says when it may be again |
 * | `MP_HUB_UNREACHABLE` | the hub did not answer |
 * | `MP_HUB_REFUSED` | the hub refused: wrong token, or a key that may not do that |
 * | `MP_HUB_PROTOCOL` | the hub answered something that its contract does not allow |
 * | `MP_SESSION_IP_CHANGED` | the session was to keep its exit IP, and that is gone; `session.renew()` begins anew |
 * | `MP_LEASE_LOST` | what the lease was for is gone: its device, or the exit IP; the message says why |
 * | `MP_LEASE_RELEASED` | the lease was given back already |
 * | `MP_LISTEN` | a local proxy cannot listen at that host and port; `errno` says why |
 * | `MP_CLOSED` | the pool is closed |
 */
export type MobilePoolErrorCode =
  | 'MP_OPTIONS'
  | 'MP_NO_DEVICE'
  | 'MP_ALL_BANNED'
  | 'MP_QUEUE_TIMEOUT'
  | 'MP_QUEUE_FULL'
  | 'MP_DEVICE_CONNECT'
  | 'MP_DEVICE_AUTH'
  | 'MP_DEVICE_DRAINING'
  | 'MP_DEVICE_OFFLINE'
  | 'MP_DEVICE_ROTATED'
  | 'MP_TUNNEL_REFUSED'
  | 'MP_TUNNEL_TIMEOUT'
  | 'MP_TARGET_TLS'
  | 'MP_NO_RESPONSE'
  | 'MP_RESPONSE_TIMEOUT'
  | 'MP_RESPONSE_BROKEN'
  | 'MP_RETRIES_EXHAUSTED'
  | 'MP_UNKNOWN_DEVICE'
  | 'MP_ROTATION_UNSUPPORTED'
  | 'MP_ROTATION_TOO_SOON'
  | 'MP_HUB_UNREACHABLE'
  | 'MP_HUB_REFUSED'
  | 'MP_HUB_PROTOCOL'
  | 'MP_SESSION_IP_CHANGED'
  | 'MP_LISTEN'
  | 'MP_LEASE_LOST'
  | 'MP_LEASE_RELEASED'
  | 'MP_CLOSED'

/** How far a request was when it failed. */
export type Phase = 'pick' | 'connect' | 'tunnel' | 'tls' | 'request' | 'response' | 'body' | 'rotation' | 'options' | 'hub'

/** What one attempt of a request came to. */
export type AttemptKind =
  | 'answered'
  | 'banned'
  | 'target_error'
  | 'hedged'
  | 'draining'
  | 'device_offline'
  | 'device_auth'
  | 'device_connect'
  | 'tunnel_dropped'
  | 'tunnel_refused'
  | 'target_unreachable'
  | 'tunnel_timeout'
  | 'target_tls'
  | 'no_response'
  | 'response_timeout'
  | 'response_broken'
  | 'rotated'
  | 'aborted'
  | 'caller'

/** One attempt of a request, as errors and events show it. Never holds credentials. */
export interface AttemptReport {
  /** The device's id, as `pool.rotate` takes it. */
  readonly deviceId: string
  /** The device's name: what people call it. */
  readonly device: string
  /** The address that the target saw; null: not known. */
  readonly exitIp: string | null
  /** What it came to. */
  readonly kind: AttemptKind
  /** How far it got. */
  readonly phase: Phase
  /** HTTP status of the answer, or of the proxy's to CONNECT; left out: none came. */
  readonly statusCode?: number
  /** The operating system's error code, e.g. `ECONNREFUSED`. */
  readonly errno?: string
  /** By which rule its answer was a ban. */
  readonly rule?: string
  /** From its beginning to what it came to, ms: for an answer, to its head. */
  readonly durationMs: number
}

export interface MobilePoolErrorDetails {
  phase?: Phase
  deviceId?: string
  attempts?: readonly AttemptReport[]
  cause?: unknown
  /** HTTP status of the answer that is the error. */
  statusCode?: number
  errno?: string
  retryAfterMs?: number
  /** When it is worth another try, milliseconds since 1970. */
  until?: number
}

/**
 * The one error class of this package. Through built-in `fetch` it arrives as the `cause` of `TypeError: fetch failed`;
 * `pool.fetch` and undici's `request` throw it as it is.
 */
export class MobilePoolError extends Error {
  override readonly name = 'MobilePoolError'
  /** What went wrong, for programs: docs/errors.md has cause and cure of each. */
  readonly code: MobilePoolErrorCode
  /** Where in a request's way it went wrong. */
  readonly phase: Phase
  /** Every attempt that was made for this request, in order. */
  readonly attempts: readonly AttemptReport[]
  /** The device at which it happened last. */
  declare readonly deviceId?: string
  /** HTTP status of the answer that is the error. */
  declare readonly statusCode?: number
  /** The operating system's error code, e.g. `ECONNREFUSED`, where the last attempt had one. */
  declare readonly errno?: string
  /** How long to wait before another try, ms, e.g. with `MP_ROTATION_TOO_SOON`. */
  declare readonly retryAfterMs?: number
  /** When it is worth another try, milliseconds since 1970: with `MP_ALL_BANNED`. */
  declare readonly until?: number

  constructor(
    code: MobilePoolErrorCode,
    message: string,
    { phase = 'pick', attempts = [], cause, ...details }: MobilePoolErrorDetails = {},
  ) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.phase = phase
    this.attempts = attempts
    Object.assign(this, details)
  }
}
