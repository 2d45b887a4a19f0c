import { errors, jwtVerify, SignJWT } from 'jose'

const ALGORITHM = 'HS256'
const ISSUER = 'mobilepool'
const AUDIENCE = 'mobilepool-api'
/** Hubs on one database need not agree on the time to the second. */
const CLOCK_TOLERANCE_S = 5

/** What an access token says. */
export interface AccessClaims {
  userId: string
  sessionId: string
  /** The user's `tokenVersion` when it was made. */
  version: number
}

/** Makes and reads access tokens: JWTs, HS256 and nothing else. */
export class AccessTokens {
  readonly #key: Uint8Array
  readonly #ttlMs: number
  readonly #now: () => number

  constructor({ key, ttlMs, now }: { key: Uint8Array; ttlMs: number; now: () => number }) {
    this.#key = key
    this.#ttlMs = ttlMs
    this.#now = now
  }

  async sign({ userId, sessionId, version }: AccessClaims): Promise<{ token: string; expiresAt: number }> {
    const now = this.#now()
    const expiresAt = now + this.#ttlMs
    const token = await new SignJWT({ sid: sessionId, ver: version })
      .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT' })
      .setIssuer(ISSUER)
      .setAudience(AUDIENCE)
      .setSubject(userId)
      .setIssuedAt(Math.floor(now / 1000))
      .setExpirationTime(Math.floor(expiresAt / 1000))
      .sign(this.#key)
    return { token, expiresAt }
  }

  /** What a token says; `expired`: it was ours; `forged`: it is not, or was changed. */
  async read(token: string): Promise<AccessClaims | 'expired' | 'forged'> {
    try {
      const { payload } = await jwtVerify(token, this.#key, {
        algorithms: [ALGORITHM],
        issuer: ISSUER,
        audience: AUDIENCE,
        requiredClaims: ['sub', 'iat', 'exp'],
        clockTolerance: CLOCK_TOLERANCE_S,
        currentDate: new Date(this.#now()),
      })
      const { sub, sid, ver } = payload
      if (typeof sub !== 'string' || typeof sid !== 'string' || typeof ver !== 'number') return 'forged'
      return { userId: sub, sessionId: sid, version: ver }
    } catch (error) {
      return error instanceof errors.JWTExpired ? 'expired' : 'forged'
    }
  }
}
