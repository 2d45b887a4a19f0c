import type { Variable } from '../config-sources.ts'
import { number, seconds, text } from './readers.ts'

/** Variables of `accountOptions`, in the order of the help. */
export const accountVariables: readonly Variable[] = [
  {
    option: 'jwtSecretKey',
    env: ['JWT_SECRET_KEY'],
    read: text,
    secret: true,
    help: 'signs access tokens of users (derived from SECRET_KEY)',
  },
  { option: 'apiKeyLength', env: ['API_KEY_LENGTH'], read: number, help: 'random bytes of a new API key (32)' },
  { option: 'accessTokenMs', env: ['ACCESS_TOKEN_TTL'], read: seconds, help: 'seconds that an access token is good (600)' },
  { option: 'sessionMs', env: ['SESSION_TTL'], read: seconds, help: 'seconds that a login lasts at the most (2592000)' },
  { option: 'passwordCost', env: ['BCRYPT_COST'], read: number, help: 'bcrypt cost of new passwords, 10 to 15 (12)' },
  { option: 'apiRateLimit', env: ['API_RATE_LIMIT'], read: number, help: 'requests that one key or user may make a minute (6000)' },
  {
    option: 'addressRateLimit',
    env: ['ADDRESS_RATE_LIMIT'],
    read: number,
    help: 'requests without a key that one address may make a minute, heartbeats apart (600)',
  },
  { option: 'quotaPeriod', env: ['QUOTA_PERIOD'], read: text, help: 'when used quotas begin anew: day, month or never (month)' },
  { option: 'auditRetentionDays', env: ['AUDIT_RETENTION_DAYS'], read: number, help: 'days that the audit log is kept (365)' },
  {
    option: 'blockAfter',
    env: ['BLOCK_AFTER'],
    read: number,
    help: 'refused requests within ten minutes after which an address is blocked, 0: never (300)',
  },
  { option: 'blockMs', env: ['BLOCK_DURATION'], read: seconds, help: 'seconds that an address is blocked the first time (900)' },
  {
    option: 'tlsCert',
    env: ['TLS_CERT'],
    flag: '--tls-cert',
    read: text,
    help: 'certificate file (PEM); with TLS_KEY the hub speaks https',
  },
  { option: 'tlsKey', env: ['TLS_KEY'], flag: '--tls-key', read: text, help: 'file of the certificate’s private key (PEM)' },
]
