import type { HubConfig } from '../config.ts'
import type { Store } from '../store/index.ts'
import { AccessTokens } from './access-tokens.ts'
import type { Attempts } from './attempts.ts'
import { KeyRing } from './key-ring.ts'
import { LoginGuard } from './login-guard.ts'
import { Logins } from './logins.ts'
import { Passwords } from './password.ts'
import { Users } from './users.ts'

export interface AccountsParts {
  store: Store
  attempts: Attempts
  now: () => number
  newId: () => string
}

/** Everybody who may speak to the hub. */
export interface Accounts {
  users: Users
  logins: Logins
  keys: KeyRing
}

/** Wires users, logins and keys. @throws HubError `database_down` */
export async function loadAccounts(config: HubConfig, { store, attempts, now, newId }: AccountsParts): Promise<Accounts> {
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
  return { users, logins, keys }
}
