import type { Logger } from 'pino'
import type { HubConfig } from '../config.ts'
import type { FleetEvents } from '../fleet/events.ts'
import type { Store } from '../store/index.ts'
import { AccessTokens } from './access-tokens.ts'
import { AddressBlocks } from './address-blocks.ts'
import type { Attempts } from './attempts.ts'
import { AuditLog } from './audit-log.ts'
import { KeyRing } from './key-ring.ts'
import { LoginGuard } from './login-guard.ts'
import { Logins } from './logins.ts'
import { Passwords } from './password.ts'
import { Quotas } from './quotas.ts'
import { RequestLimits } from './request-limits.ts'
import { Users } from './users.ts'

export interface AccountsParts {
  store: Store
  attempts: Attempts
  events: FleetEvents
  log: Logger
  now: () => number
  newId: () => string
}

/** Everybody who may speak to the hub, how much, and what of it is recorded. */
export interface Accounts {
  users: Users
  logins: Logins
  keys: KeyRing
  quotas: Quotas
  limits: RequestLimits
  blocks: AddressBlocks
  audit: AuditLog
}

/** Wires the accounts. What can be set while the hub runs is read from `config` each time. @throws HubError `database_down` */
export async function loadAccounts(config: HubConfig, { store, attempts, events, log, now, newId }: AccountsParts): Promise<Accounts> {
  const passwords = new Passwords(config.passwordCost)
  const users = await Users.load({ store: store.users, passwords, now, newId })
  const key = config.jwtSecretKey === null ? store.derive('mobilepool access tokens') : new TextEncoder().encode(config.jwtSecretKey)
  const logins = await Logins.load({
    users,
    passwords,
    store: store.sessions,
    tokens: new AccessTokens({ key, ttlMs: config.accessTokenMs, now }),
    guard: new LoginGuard(),
    attempts,
    sessionMs: config.sessionMs,
    accessTokenMs: config.accessTokenMs,
    now,
    newId,
  })
  const keys = await KeyRing.load({
    store: store.keys,
    attempts,
    isShared: config.databaseUrl !== null,
    keyBytes: config.apiKeyLength,
    owner: (userId) => users.find(userId),
    now,
    newId,
  })
  return {
    users,
    logins,
    keys,
    quotas: new Quotas({ store: store.quotas, users, keys, events, period: () => config.quotaPeriod, now }),
    limits: new RequestLimits(() => ({ perCaller: config.apiRateLimit, perAddress: config.addressRateLimit }), now),
    blocks: await AddressBlocks.load({
      store: store.blocks,
      trustProxy: config.trustProxy,
      settings: () => ({ after: config.blockAfter, firstMs: config.blockMs }),
      now,
    }),
    audit: new AuditLog({ store: store.audit, log }),
  }
}
