import { createHash, timingSafeEqual } from 'node:crypto'
import type { ReplyCode } from './statuses.ts'

/** A user name and password: of `Proxy-Authorization: Basic`, or of SOCKS5 (RFC 1929). */
export interface Credentials {
  /** As the client sent it, decoded. */
  readonly username: string
  /** As the client sent it, decoded. Never logged. */
  readonly password: string
}

/** How a client speaks to the proxy. */
export type ClientProtocol = 'http' | 'socks5'

/** Where a request comes from. */
export interface ProxyClient {
  /** Address of the connection; never what a header says. */
  readonly address: string
  /** What the client's first byte said. */
  readonly protocol: ClientProtocol
  /** Whether the connection is encrypted. */
  readonly isTls: boolean
}

/** How much of the proxy a user may hold. */
export interface UserShare {
  /** What users have in common who share a limit, e.g. the id of an API key. */
  readonly key: string
  /** Requests, upgrades and tunnels under way at a time. @default `limits.maxPerUser` */
  readonly concurrency?: number | undefined
}

/** A user who is let in. `share` is needed for a limit, unless the user is a string. */
interface Allowed<User> {
  readonly allowed: true
  readonly user: User
  readonly share?: UserShare
}

/** A client who is not. */
interface Refused {
  readonly allowed: false
  /** Shown to the client: what would be right, never what was wrong with the password. */
  readonly detail: string
  /** 407, 403 or 429; the first counts as a guess and is delayed when it repeats. @default 'auth_required' */
  readonly code?: Extract<ReplyCode, 'auth_required' | 'client_refused' | 'too_many_requests'>
  /** Seconds for `Retry-After`. */
  readonly retryAfterS?: number
}

/** What `authenticate` says. */
export type Verdict<User> = Allowed<User> | Refused

/**
 * Decides on one HTTP request or SOCKS5 handshake; `credentials` is null when the client sent none that can be read. SOCKS5 clients hear
 * no reason. An error thrown is a 500, a `ProxyError` its own answer.
 */
export type Authenticate<User> = (credentials: Credentials | null, client: ProxyClient) => Verdict<User> | Promise<Verdict<User>>

/** Reads a `Proxy-Authorization` value; null unless it is well-formed `Basic`. The password may hold colons. */
export function parseBasic(header: string | undefined): Credentials | null {
  const encoded = /^basic +([a-z0-9+/_-]+=*) *$/i.exec(header ?? '')?.[1]
  if (encoded === undefined) return null
  const text = Buffer.from(encoded, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  return colon < 0 ? null : { username: text.slice(0, colon), password: text.slice(colon + 1) }
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/** Accepts one user name and password. Takes the same time whatever is wrong: digests are compared, both of them, always. */
export function fixedCredentials(expected: Credentials): Authenticate<string> {
  const username = digest(expected.username)
  const password = digest(expected.password)
  return (credentials) => {
    const sameName = timingSafeEqual(digest(credentials?.username ?? ''), username)
    const samePassword = timingSafeEqual(digest(credentials?.password ?? ''), password)
    if (credentials && sameName && samePassword) return { allowed: true, user: expected.username }
    return {
      allowed: false,
      detail: credentials
        ? 'The user name or the password is wrong.'
        : 'This proxy asks for a user name and a password (Proxy-Authorization: Basic).',
    }
  }
}
