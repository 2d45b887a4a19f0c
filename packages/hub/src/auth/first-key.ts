import { HubError } from '../errors.ts'
import { isLoopbackHost } from '../fleet/address.ts'
import type { KeyRing } from './key-ring.ts'

/**
 * Before the hub listens: nobody may reach a hub that nobody can administer.
 * @throws HubError `no_admin_key`
 */
export async function requireAdminKey(keys: KeyRing, { host, adminKey }: { host: string; adminKey: string | null }): Promise<void> {
  if (adminKey !== null) await keys.adopt(adminKey, 'MOBILEPOOL_ADMIN_KEY')
  if (keys.hasAdmin || isLoopbackHost(host)) return
  throw new HubError(
    'no_admin_key',
    `The database holds no admin key, and ${host} can be reached from elsewhere. ` +
      'Make one first: mobilepool-hub admin create-key --scope admin --name "me" (with the same --data-dir or DATABASE_URL), or set MOBILEPOOL_ADMIN_KEY.',
  )
}

/** Once the hub listens (on loopback): the first start makes an admin key, to be shown once. Null when there is one already. */
export async function firstAdminKey(keys: KeyRing): Promise<string | null> {
  return keys.hasAdmin ? null : (await keys.create({ name: 'first start', scope: 'admin', deviceId: null })).secret
}
