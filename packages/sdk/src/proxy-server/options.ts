import { z } from 'zod'
import type { Authenticate } from './authenticate.ts'
import type { ExchangeSummary } from './exchange.ts'
import { ProxyError } from './proxy-error.ts'
import type { Forward } from './serve.ts'
import type { Connect } from './upstream.ts'

/** Defaults of `ProxyServerLimits`. */
export const defaultLimits = {
  maxConnections: 4_096,
  maxHeaderBytes: 32_768,
  handshakeTimeoutMs: 10_000,
  connectTimeoutMs: 20_000,
  keepAliveTimeoutMs: 60_000,
  idleTimeoutMs: 300_000,
} as const

const ms = (max: number) => z.number().int().min(1).max(max)

const limitsSchema = z
  .strictObject({
    maxConnections: z.number().int().min(1).max(1_000_000),
    maxHeaderBytes: z.number().int().min(1_024).max(1_048_576),
    handshakeTimeoutMs: ms(600_000),
    connectTimeoutMs: ms(600_000),
    keepAliveTimeoutMs: ms(3_600_000),
    idleTimeoutMs: ms(86_400_000),
  })
  .partial()

/** Bounds of a proxy server. */
export interface ProxyServerLimits {
  /** Client connections at a time; requests on further ones are answered 503. @default 4096 */
  maxConnections?: number
  /** Largest request head, and largest head of an answer, bytes. @default 32768 */
  maxHeaderBytes?: number
  /** How long a client may take to send its request head. @default 10000 */
  handshakeTimeoutMs?: number
  /** How long `connect()` may take. @default 20000 */
  connectTimeoutMs?: number
  /** How long a client's connection stays open between two requests. @default 60000 */
  keepAliveTimeoutMs?: number
  /** How long a request or tunnel may stay without a byte in either direction. @default 300000 */
  idleTimeoutMs?: number
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
  limits?: ProxyServerLimits
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
