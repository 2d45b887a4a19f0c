import { z } from 'zod'
import { seconds, wholeNumber } from './fields.ts'

const path = z.string().min(1, 'must be a file').nullable().default(null)

/** Who may do what, how much of it, and over which connections. */
export const accountOptions = {
  /** Signs access tokens; null: a key derived from the secret key. Hubs on one database must agree on it. */
  jwtSecretKey: z.string().min(16, 'must have at least 16 characters').max(1024).nullable().default(null),
  /** Random bytes of a new API key. */
  apiKeyLength: wholeNumber(16, 128).default(32),
  /** How long an access token is good, ms. Logging out, a new password and deactivation end it at once all the same. */
  accessTokenMs: seconds(30, 3600).default(600_000),
  /** How long a login lasts at the most, ms; one that is not used for a week ends then. */
  sessionMs: seconds(60, 31_536_000).default(30 * 86_400_000),
  /** bcrypt's cost: each step doubles the time that a guess takes. 12 is some 250 ms of one core. */
  passwordCost: wholeNumber(10, 15).default(12),
  /** Requests to the API that one key or user may make a minute. */
  apiRateLimit: wholeNumber(1, 10_000_000).default(6_000),
  /** Requests without a key that one address may make a minute; heartbeats and health checks are not counted. */
  addressRateLimit: wholeNumber(1, 10_000_000).default(600),
  /** When `requests_used` of users and keys begins anew (UTC). */
  quotaPeriod: z.enum(['day', 'month', 'never'], { error: 'must be day, month or never' }).default('month'),
  /** How long the audit log is kept, days. */
  auditRetentionDays: wholeNumber(1, 3650).default(365),
  /** Refusals (401, 403, 429) within ten minutes after which an address is blocked; 0: never. */
  blockAfter: wholeNumber(0, 1_000_000).default(300),
  /** How long it is blocked the first time, ms; each further time twice as long, a day at the most. */
  blockMs: seconds(1, 86_400).default(900_000),
  /** Certificate chain, PEM; the hub speaks https when both are given. */
  tlsCert: path,
  /** The certificate's private key, PEM. */
  tlsKey: path,
}
