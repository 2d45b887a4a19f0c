/**
 * Every answer of the proxy's own. The code travels in `X-MobilePool-Error` and in the problem body, so that a client can tell
 * what the proxy says from what the site says.
 *
 * The 59x numbers and 504 mean what they mean in apify/proxy-chain, whose users know them. What concerns devices and targets is never
 * a 403 or a 429: scrapers read those as a ban by the site. Those two are about the client's own account and address only.
 */
export const replyStatuses = {
  /** The request is not one that a proxy can forward; the detail says why. */
  bad_request: { status: 400, reason: 'Bad Request' },
  /** No credentials, or wrong ones. */
  auth_required: { status: 407, reason: 'Proxy Authentication Required' },
  /** The client may not use this proxy: its address, or its account. */
  client_refused: { status: 403, reason: 'Forbidden' },
  /** The request head did not arrive within `handshakeTimeoutMs`. */
  request_timeout: { status: 408, reason: 'Request Timeout' },
  /** `Expect` asks for something else than 100-continue. */
  expectation_failed: { status: 417, reason: 'Expectation Failed' },
  /** The account has used up its rate or quota; decided by `authenticate`, `connect` or `forward`. */
  too_many_requests: { status: 429, reason: 'Too Many Requests', retryAfterS: 1 },
  /** The user has as many requests and tunnels under way as he may. Nothing was forwarded. */
  user_limit: { status: 429, reason: 'Too Many Requests', retryAfterS: 1 },
  /** More connections from the client's address than `maxConnectionsPerAddress`. Nothing was forwarded. */
  address_limit: { status: 429, reason: 'Too Many Requests', retryAfterS: 1 },
  /** Too many wrong credentials from the client's address are waiting for their answers. */
  too_many_failures: { status: 429, reason: 'Too Many Requests', retryAfterS: 5 },
  /** The request head is larger than `maxHeaderBytes`, or has more fields than `maxHeaders`. */
  head_too_large: { status: 431, reason: 'Request Header Fields Too Large' },
  /** The client went away before its answer was complete. Never sent, only observed; the number is nginx's. */
  client_gone: { status: 499, reason: 'Client Closed Request' },
  /** The proxy itself failed. */
  internal: { status: 500, reason: 'Internal Server Error' },
  /** A transfer coding or an upgrade that the proxy cannot carry. */
  not_implemented: { status: 501, reason: 'Not Implemented' },
  /** Not HTTP/1.0 or 1.1. */
  version_not_supported: { status: 505, reason: 'HTTP Version Not Supported' },
  /** The device is about to change its address. Nothing was forwarded: any request may be sent again, elsewhere at once. */
  draining: { status: 503, reason: 'Service Unavailable', retryAfterS: 1 },
  /** The device has no network now. Nothing was forwarded. */
  offline: { status: 503, reason: 'Service Unavailable', retryAfterS: 5 },
  /** Traffic would leave by another interface than the device's own. Nothing was forwarded. */
  egress_leak: { status: 503, reason: 'Service Unavailable', retryAfterS: 60 },
  /** More clients than `maxConnections`. Nothing was forwarded. */
  too_many_connections: { status: 503, reason: 'Service Unavailable', retryAfterS: 1 },
  /** A pool has no device that may serve the request now. Nothing was forwarded. */
  no_device: { status: 503, reason: 'Service Unavailable', retryAfterS: 5 },
  /** Every device of a pool is banned by the site. Retry-After says when the first may be used for it again. */
  all_banned: { status: 503, reason: 'Service Unavailable', retryAfterS: 60 },
  /** A session was to keep its exit IP, and that is gone: the same user name will get nothing more. */
  session_ip_changed: { status: 503, reason: 'Service Unavailable' },
  /** A lease is over, with its device or exit IP: the same user name will get nothing more. */
  lease_lost: { status: 503, reason: 'Service Unavailable' },
  /** The target accepted no connection within `connectTimeoutMs`. */
  connect_timeout: { status: 504, reason: 'Gateway Timeout' },
  /** No byte in either direction for `idleTimeoutMs`. */
  idle_timeout: { status: 504, reason: 'Gateway Timeout' },
  /** The target answered with something that is not HTTP. */
  bad_response: { status: 592, reason: 'Bad Response' },
  /** The target's name has no address. */
  dns_failed: { status: 593, reason: 'Name Not Found' },
  /** The target refused the connection. */
  connection_refused: { status: 594, reason: 'Connection Refused' },
  /** The connection to the target was lost before its answer. The request may have reached it. */
  connection_reset: { status: 595, reason: 'Connection Reset' },
  /** The target stopped reading before it had the whole request. */
  broken_pipe: { status: 596, reason: 'Broken Pipe' },
  /** The target is one that this proxy does not connect to (private, loopback, metadata addresses, closed ports). */
  target_refused: { status: 599, reason: 'Target Refused' },
  /** There is no route to the network of the target. */
  network_unreachable: { status: 599, reason: 'Network Unreachable' },
  /** There is no route to the target. */
  host_unreachable: { status: 599, reason: 'Host Unreachable' },
  /** Any other failure on the way to the target. */
  upstream_failed: { status: 599, reason: 'Upstream Failed' },
} as const satisfies Record<string, { status: number; reason: string; retryAfterS?: number }>

/** What went wrong with one request, as the client is told. */
export type ReplyCode = keyof typeof replyStatuses

/** Reasons to answer every new request with 503, see `ProxyServer.refuse`. */
export type RefusalCode = 'draining' | 'offline' | 'egress_leak'
