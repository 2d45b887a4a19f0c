import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { KeyScope } from '@mobilepool/sdk/contract'
import type { KeyRecord } from '../store/index.ts'

/** What a secret of the hub begins with: an API or device key, or an enrolment token. */
export type SecretPrefix = 'mp_' | 'mpe_'

/** Characters of a key that its list shows; some 48 of its 256 bits. */
const SHOWN = 11

/** A new secret: 256 random bits. Shown once, kept as its hash. */
export const newSecret = (prefix: SecretPrefix): string => prefix + randomBytes(32).toString('base64url')

/** SHA-256, hex: enough for secrets that are random, and the same for everyone, so that one can be looked up by it. */
export const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('hex')

/** Whether two hashes are the same, in constant time. */
export const isSameHash = (a: string, b: string): boolean => a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))

/** What the database keeps of a key. */
export const keyRecord = (
  secret: string,
  of: { id: string; name: string; scope: KeyScope; deviceId: string | null; createdAt: number },
): KeyRecord => ({ ...of, prefix: secret.slice(0, SHOWN), hash: hashOf(secret), revokedAt: null })
