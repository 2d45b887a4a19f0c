import type { ReplyCode } from '../statuses.ts'

/** Answers to a SOCKS5 request (RFC 1928, 6). */
export const socksReplies = {
  succeeded: 0,
  general_failure: 1,
  not_allowed: 2,
  network_unreachable: 3,
  host_unreachable: 4,
  connection_refused: 5,
  ttl_expired: 6,
  command_not_supported: 7,
  address_type_not_supported: 8,
} as const

/** One of them. */
export type SocksReply = (typeof socksReplies)[keyof typeof socksReplies]

const meanings: Partial<Record<ReplyCode, keyof typeof socksReplies>> = {
  target_refused: 'not_allowed',
  client_refused: 'not_allowed',
  network_unreachable: 'network_unreachable',
  host_unreachable: 'host_unreachable',
  dns_failed: 'host_unreachable',
  connection_refused: 'connection_refused',
  connect_timeout: 'ttl_expired',
  not_implemented: 'command_not_supported',
}

/** What SOCKS5 has to say about a failure; where it has no word for it, `general_failure`. */
export const socksReplyOf = (code: ReplyCode): SocksReply => socksReplies[meanings[code] ?? 'general_failure']

/** The bytes of an answer. The address that the connection left from is nobody's business: it is sent as 0.0.0.0:0. */
export const replyFrame = (reply: SocksReply): Buffer => Buffer.from([5, reply, 0, 1, 0, 0, 0, 0, 0, 0])
