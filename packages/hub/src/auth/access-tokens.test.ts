import { createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { AccessTokens } from './access-tokens.ts'

const key = new TextEncoder().encode('a key of the tests, 32 bytes long')
const T0 = Date.parse('2026-11-22T03:00:00.500Z')
const claims = { userId: '0190e7a2-0000-7000-8000-000000000001', sessionId: '0190e7a2-0000-7000-8000-000000000002', version: 3 }
const at = (now: number, over = key) => new AccessTokens({ key: over, ttlMs: 600_000, now: () => now })

const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
/** A token of our own making, signed with the right key. */
const made = (header: object, payload: object, hash = 'sha256'): string => {
  const body = `${base64(header)}.${base64(payload)}`
  return `${body}.${createHmac(hash, key).update(body).digest('base64url')}`
}
const good = {
  iss: 'mobilepool',
  aud: 'mobilepool-api',
  sub: claims.userId,
  sid: claims.sessionId,
  ver: 3,
  iat: T0 / 1000,
  exp: T0 / 1000 + 600,
}

describe('an access token', () => {
  test('says whose it is until it expires', async () => {
    const { token, expiresAt } = await at(T0).sign(claims)
    expect(expiresAt).toBe(T0 + 600_000)
    expect(await at(T0 + 590_000).read(token)).toEqual(claims)
    expect(await at(T0 + 606_000).read(token)).toBe('expired')
  })

  test('of our own making is taken: the forged ones below fail for what is wrong with them', async () => {
    expect(await at(T0).read(made({ alg: 'HS256' }, good))).toEqual(claims)
  })

  test.each([
    ['without a signature (alg none)', `${base64({ alg: 'none' })}.${base64(good)}.`],
    ['of another algorithm with the right key', made({ alg: 'HS512' }, good, 'sha512')],
    ['that claims another algorithm than it was signed with', made({ alg: 'RS256' }, good)],
    ['of another issuer', made({ alg: 'HS256' }, { ...good, iss: 'somebody' })],
    ['for another audience', made({ alg: 'HS256' }, { ...good, aud: 'gateway' })],
    ['without an end', made({ alg: 'HS256' }, { ...good, exp: undefined })],
    ['without a session', made({ alg: 'HS256' }, { ...good, sid: undefined })],
    ['with a version that is no number', made({ alg: 'HS256' }, { ...good, ver: '3' })],
    ['that is no token', 'a.b.c'],
  ])('%s is forged', async (_case, token) => {
    expect(await at(T0).read(token)).toBe('forged')
  })

  test('of another key, or with a changed payload, is forged', async () => {
    const { token } = await at(T0).sign(claims)
    expect(await at(T0, new TextEncoder().encode('another key of the same length ..')).read(token)).toBe('forged')
    const [header, , signature] = token.split('.')
    expect(await at(T0).read(`${header}.${base64({ ...good, sub: 'somebody else' })}.${signature}`)).toBe('forged')
  })
})
