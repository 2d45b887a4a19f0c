import type { Refusal } from '../errors.ts'
import type { SessionStore, UserRecord } from '../store/index.ts'
import type { AccessTokens } from './access-tokens.ts'
import type { Attempts } from './attempts.ts'
import type { Caller } from './caller.ts'
import { hashOf, newSecret } from './key.ts'
import type { LoginGuard } from './login-guard.ts'
import type { Passwords } from './password.ts'
import type { Users } from './users.ts'

/** A login that nobody uses ends after this long. */
const IDLE_MS = 7 * 86_400_000
/** Two tabs of one browser may ask for a new token with the same cookie; the second gets no new cookie, it has the first one's. */
const OVERLAP_MS = 10_000

export interface LoginsParts {
  users: Users
  passwords: Passwords
  store: SessionStore
  tokens: AccessTokens
  guard: LoginGuard
  attempts: Attempts
  /** How long a login lasts at the most. */
  sessionMs: number
  /** How long an access token is good. */
  accessTokenMs: number
  now: () => number
  newId: () => string
}

/** A user who has proved who he is. Times in ms. */
export interface LoggedIn {
  user: UserRecord
  accessToken: string
  expiresAt: number
  /** The token of the cookie; null: the one that the browser has by now goes on. */
  refreshToken: string | null
}

/** From where somebody logs in. */
export interface LoginOrigin {
  address: string
  userAgent: string | null
}

/** Logins: passwords for access tokens, refresh tokens for the next ones. */
export class Logins {
  readonly #parts: LoginsParts
  /** Sessions that ended while access tokens of theirs were still good, with the time. */
  readonly #ended = new Map<string, number>()

  private constructor(parts: LoginsParts) {
    this.#parts = parts
  }

  /** @throws HubError `database_down` */
  static async load(parts: LoginsParts): Promise<Logins> {
    const logins = new Logins(parts)
    await logins.reload()
    return logins
  }

  /** Learns which sessions ended meanwhile, here or at another hub, and forgets those of which no token is left. @throws HubError `database_down` */
  async reload(): Promise<void> {
    const since = this.#parts.now() - this.#parts.accessTokenMs - OVERLAP_MS
    for (const [id, at] of this.#ended) if (at < since) this.#ended.delete(id)
    for (const id of await this.#parts.store.revokedSince(since)) if (!this.#ended.has(id)) this.#ended.set(id, this.#parts.now())
  }

  /**
   * Unknown names, wrong passwords and users who were deactivated get the same answer after the same time.
   * @throws HubError `database_down`
   */
  async login(username: string, password: string, origin: LoginOrigin): Promise<LoggedIn | Refusal> {
    const { users, guard, now } = this.#parts
    const waitMs = guard.attempt(username, origin.address, now())
    if (waitMs > 0) return tooMany(waitMs)
    const user = users.findByName(username)
    if (!(await this.#parts.passwords.matches(password, user?.passwordHash ?? null)) || !user?.isActive) return wrong
    guard.succeeded(username, origin.address)
    return this.#start(user, origin)
  }

  /** Trades a refresh token for the next one and a new access token. @throws HubError `database_down` */
  async refresh(refreshToken: string, { address }: LoginOrigin): Promise<LoggedIn | Refusal> {
    const { store, users, attempts, sessionMs, now } = this.#parts
    const id = sessionOf(refreshToken)
    if (id === null || attempts.isExhausted(address)) return attempts.wrong(address, over)
    const next = newRefreshToken(id)
    const result = await store.rotate({
      id,
      from: hashOf(refreshToken),
      to: hashOf(next),
      at: now(),
      idleMs: IDLE_MS,
      maxMs: sessionMs,
      overlapMs: OVERLAP_MS,
    })
    if (result.outcome === 'reused') {
      this.#ended.set(id, now())
      return attempts.wrong(address, reused)
    }
    if (result.userId === null) return attempts.wrong(address, over)
    const user = users.find(result.userId)
    if (!user?.isActive) return over
    return { ...(await this.#access(user, id)), refreshToken: result.outcome === 'rotated' ? next : null }
  }

  /** Ends the login of a refresh token; which and whose it was, or null when it was over. @throws HubError `database_down` */
  async logout(refreshToken: string): Promise<{ id: string; user: UserRecord | null } | null> {
    const id = sessionOf(refreshToken)
    if (id === null) return null
    // Only who has the good token may end the session; a former one ends it too, as a sign that somebody else has it.
    const { store, sessionMs, now } = this.#parts
    const at = now()
    const next = hashOf(newRefreshToken(id))
    const { outcome } = await store.rotate({
      id,
      from: hashOf(refreshToken),
      to: next,
      at,
      idleMs: IDLE_MS,
      maxMs: sessionMs,
      overlapMs: OVERLAP_MS,
    })
    if (outcome === 'gone') return null
    return this.end(id)
  }

  /** Ends a login by its id. @throws HubError `database_down` */
  async end(id: string): Promise<{ id: string; user: UserRecord | null }> {
    const userId = await this.#parts.store.end(id, 'logged_out', this.#parts.now())
    this.#ended.set(id, this.#parts.now())
    return { id, user: userId === null ? null : this.#parts.users.find(userId) }
  }

  /** A new password: every session of the user ends, and a new one begins. @throws HubError `database_down` */
  async changePassword(user: UserRecord, current: string, password: string, origin: LoginOrigin): Promise<LoggedIn | Refusal> {
    const { guard, passwords, users, now } = this.#parts
    const waitMs = guard.attempt(user.username, origin.address, now())
    if (waitMs > 0) return tooMany(waitMs)
    if (!(await passwords.matches(current, user.passwordHash))) return { code: 'forbidden', detail: 'The current password is wrong.' }
    guard.succeeded(user.username, origin.address)
    const changed = await users.change(user.id, { password })
    return 'code' in changed ? changed : this.#start(changed, origin)
  }

  /** Whose access token it is. */
  async identify(accessToken: string, address: string): Promise<Caller | Refusal> {
    const claims = await this.#parts.tokens.read(accessToken)
    if (claims === 'forged')
      return this.#parts.attempts.wrong(address, { code: 'unauthorized', detail: 'The hub did not make this token.' })
    const user = claims === 'expired' ? null : this.#parts.users.find(claims.userId)
    if (claims === 'expired' || !user?.isActive || user.tokenVersion !== claims.version || this.#ended.has(claims.sessionId)) return expired
    return {
      id: claims.sessionId,
      name: user.username,
      keyId: null,
      scope: user.role === 'admin' ? 'admin' : 'proxy',
      deviceId: null,
      userId: user.id,
      sessionId: claims.sessionId,
      rateLimit: null,
    }
  }

  async #start(user: UserRecord, { address, userAgent }: LoginOrigin): Promise<LoggedIn> {
    const { store, users, sessionMs, now, newId } = this.#parts
    const id = newId()
    const refreshToken = newRefreshToken(id)
    const at = now()
    await store.start({
      id,
      userId: user.id,
      tokenHash: hashOf(refreshToken),
      address,
      userAgent: userAgent?.slice(0, 200) ?? null,
      createdAt: at,
      expiresAt: at + Math.min(IDLE_MS, sessionMs),
    })
    await users.loggedIn(user.id)
    return { ...(await this.#access(user, id)), refreshToken }
  }

  async #access(user: UserRecord, sessionId: string): Promise<{ user: UserRecord; accessToken: string; expiresAt: number }> {
    const { token, expiresAt } = await this.#parts.tokens.sign({ userId: user.id, sessionId, version: user.tokenVersion })
    return { user, accessToken: token, expiresAt }
  }
}

/** The session's id and a secret: the id tells which session ends when a token that was used comes again. */
const newRefreshToken = (sessionId: string): string => `${sessionId}.${newSecret('mpr_')}`

const sessionOf = (refreshToken: string): string | null =>
  /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.mpr_[\w-]{43}$/.exec(refreshToken)?.[1] ?? null

const tooMany = (waitMs: number): Refusal => {
  const retryAfter = Math.ceil(waitMs / 1000)
  return { code: 'too_many_requests', detail: `Too many wrong passwords. Try again in ${retryAfter} s.`, retryAfter }
}
const wrong: Refusal = { code: 'login_failed', detail: 'There is no active user of this name and password.' }
const over: Refusal = { code: 'unauthorized', detail: 'This login is over: log in again.' }
const reused: Refusal = {
  code: 'unauthorized',
  detail: 'This login was ended: its refresh token was used twice, so somebody else may have it. Log in again.',
}
const expired: Refusal = {
  code: 'unauthorized',
  detail: 'This access token has expired or was revoked: POST /api/v1/auth/refresh, or log in again.',
}
