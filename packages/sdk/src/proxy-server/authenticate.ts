import { createHash, timingSafeEqual } from 'node:crypto'

/** User name and password of `Proxy-Authorization: Basic`. */
export interface Credentials {
  readonly username: string
  readonly password: string
}

/** What `authenticate` says. `detail` is shown to the client: what would be right, never what was wrong with the password. */
export type Verdict<User> = { readonly allowed: true; readonly user: User } | { readonly allowed: false; readonly detail: string }

/** Decides on one request; `credentials` is null when the client sent none that can be read. */
export type Authenticate<User> = (
  credentials: Credentials | null,
  client: { readonly address: string },
) => Verdict<User> | Promise<Verdict<User>>

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
