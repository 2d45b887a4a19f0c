import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { KeyScope } from '@mobilepool/sdk/contract'
import type { KeyRecord } from '../store/index.ts'

/** What a secret of the hub begins with: an API or device key, an enrolment token, or a refresh token. */
export type SecretPrefix = 'mp_' | 'mpe_' | 'mpr_'

/** Characters of a key that its list shows; some 48 of its 256 bits. */
const SHOWN = 11

/** Random bytes of a secret where nothing else is said. */
const SECRET_BYTES = 32

/** A new secret: 256 random bits, or as many as are asked for. Shown once, kept as its hash. */
export const newSecret = (prefix: SecretPrefix, bytes: number = SECRET_BYTES): string => prefix + randomBytes(bytes).toString('base64url')

/** SHA-256, hex: enough for secrets that are random, and the same for everyone, so that one can be looked up by it. */
export const hashOf = (secret: string): string => hash('sha256', secret)

/** Whether two hashes are the same, in constant time. */
export const isSameHash = (a: string, b: string): boolean => a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))

/** What is said of a new key; what is left out is nobody's, for ever and without limits. */
export interface NewKey {
  id: string
  name: string
  scope: KeyScope
  deviceId: string | null
  userId?: string | null
  expiresAt?: number | null
  rateLimit?: number | null
  requestsLimit?: number | null
  createdAt: number
}

/** What the database keeps of a key. */
export const keyRecord = (secret: string, of: NewKey): KeyRecord => ({
  userId: null,
  expiresAt: null,
  rateLimit: null,
  requestsLimit: null,
  ...of,
  prefix: secret.slice(0, SHOWN),
  hash: hashOf(secret),
  revokedAt: null,
  lastUsedAt: null,
  requestsUsed: 0,
  requestsSince: of.createdAt,
})
