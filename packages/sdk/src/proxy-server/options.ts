import { z } from 'zod'
import type { Authenticate } from './authenticate.ts'
import type { ExchangeSummary } from './exchange.ts'
import { ProxyError } from './proxy-error.ts'
import type { Forward } from './serve.ts'
import type { TargetPolicy } from './target-policy.ts'
import type { ProxyTls } from './tls-front.ts'
import type { Connect } from './upstream.ts'

/** Defaults of `ProxyServerLimits`. */
export const defaultLimits = {
  maxConnections: 4_096,
  maxConnectionsPerAddress: 4_096,
  maxPerUser: 4_096,
  maxHeaderBytes: 32_768,
  maxHeaders: 256,
  handshakeTimeoutMs: 10_000,
  connectTimeoutMs: 20_000,
  keepAliveTimeoutMs: 60_000,
  idleTimeoutMs: 300_000,
} as const

const ms = (max: number) => z.number().int().min(1).max(max)
const connections = z.number().int().min(1).max(1_000_000)

const limitsSchema = z
  .strictObject({
    maxConnections: connections,
    maxConnectionsPerAddress: connections,
    maxPerUser: connections,
    maxHeaderBytes: z.number().int().min(1_024).max(1_048_576),
    maxHeaders: z.number().int().min(16).max(10_000),
    handshakeTimeoutMs: ms(600_000),
    connectTimeoutMs: ms(600_000),
    keepAliveTimeoutMs: ms(3_600_000),
    idleTimeoutMs: ms(86_400_000),
  })
  .partial()

/** Bounds of a proxy server. */
export interface ProxyServerLimits {
  /**
   * Client connections at a time; requests on further ones are answered 503. When they are all taken, a connection that has owed its
   * first good request for more than a second gives way to a new one: of the address that has most of such, the oldest. @default 4096
   */
  maxConnections?: number
  /** Client connections at a time from one address (IPv6: from one /64); requests on further ones are answered 429. @default 4096 */
  maxConnectionsPerAddress?: number
  /** Requests, upgrades and tunnels under way of one user; further ones are answered 429. `authenticate` can set others. @default 4096 */
  maxPerUser?: number
  /** Largest request head, and largest head of an answer, bytes. @default 32768 */
  maxHeaderBytes?: number
  /** Most fields in a request's head, and in that of an answer. @default 256 */
  maxHeaders?: number
  /** How long a client may take from its first byte owed to the end of its request head, TLS and SOCKS5 handshakes included. @default 10000 */
  handshakeTimeoutMs?: number
  /** How long `connect()` may take. @default 20000 */
  connectTimeoutMs?: number
  /** How long a client's connection stays open between two requests. @default 60000 */
  keepAliveTimeoutMs?: number
  /** How long a request or tunnel may stay without a byte in either direction. @default 300000 */
  idleTimeoutMs?: number
}

/** The head of a site's answer to a plain request. */
export interface AnswerHead {
  /** HTTP status. */
  readonly status: number
  /** Flat list as the site sent it. */
  readonly headers: readonly string[]
}

/** Options of `createProxyServer`. */
export interface ProxyServerOptions<User> {
  /** Opens the connection to a target: directly, through a device, through a tunnel. */
  connect: Connect<User>
  /**
   * Serves plain requests itself, instead of `connect()`, which is left with tunnels, upgrades and `OPTIONS *`.
   * Throws `ProxyError` to choose the answer.
   */
  forward?: Forward<User>
  /** Decides who may use the proxy. Without it everybody may, so the server then listens on loopback only. */
  authenticate?: Authenticate<User>
  /** Targets that are refused before `connect()` or `forward()` hears of them. @default none is */
  targets?: Pick<TargetPolicy, 'judge'>
  /** Lets clients speak TLS on the same port. */
  tls?: ProxyTls
  /** Bounds on what clients may hold and how long they may take. @default those of `ProxyServerLimits` */
  limits?: ProxyServerLimits
  /** Called when the head of the site's answer to a plain request or upgrade is there, before the client gets it. Must not throw. */
  onAnswer?: (exchange: ExchangeSummary<User>, answer: AnswerHead) => void
  /** Called when a request, upgrade or tunnel is over. Must not throw. */
  onClose?: (summary: ExchangeSummary<User>) => void
  /** The name shown by clients that ask for a password. @default 'MobilePool' */
  realm?: string
}

/** Checks limits and fills in the defaults; throws `bad_options` naming the field. */
export function completeLimits(limits: ProxyServerLimits | undefined): Required<ProxyServerLimits> {
  const parsed = limitsSchema.safeParse(limits ?? {})
  if (!parsed.success) {
    const issues = parsed.error.issues.map((issue) => `limits.${issue.path.join('.')}: ${issue.message}`)
    throw new ProxyError('bad_options', issues.join('; '))
  }
  const given = Object.fromEntries(Object.entries(parsed.data).filter(([, value]) => value !== undefined))
  return { ...defaultLimits, ...given }
}
