import { HubError } from '../errors.ts'
import { isLoopbackHost } from '../fleet/address.ts'
import type { KeyRing } from './key-ring.ts'
import type { Users } from './users.ts'

/** All who may administer a hub. */
interface Administrators {
  keys: KeyRing
  users: Users
}

/**
 * Before the hub listens: nobody may reach a hub that nobody can administer.
 * @throws HubError `no_admin_key`
 */
export async function requireAdmin(
  { keys, users }: Administrators,
  { host, adminKey }: { host: string; adminKey: string | null },
): Promise<void> {
  if (adminKey !== null) await keys.adopt(adminKey, 'MOBILEPOOL_ADMIN_KEY')
  if (hasAdmin({ keys, users }) || isLoopbackHost(host)) return
  throw new HubError(
    'no_admin_key',
    `The database holds no admin key and no admin user, and ${host} can be reached from elsewhere. ` +
      'Make one first: mobilepool-hub admin create-user --username "me" --role admin, or admin create-key --scope admin --name "me" ' +
      '(with the same --data-dir or DATABASE_URL), or set MOBILEPOOL_ADMIN_KEY.',
  )
}

/** Once the hub listens (on loopback): the first start makes an admin key, to be shown once. Null when there is an admin already. */
export async function firstAdminKey({ keys, users }: Administrators): Promise<string | null> {
  return hasAdmin({ keys, users }) ? null : (await keys.create({ name: 'first start', scope: 'admin', deviceId: null })).secret
}

const hasAdmin = ({ keys, users }: Administrators): boolean =>
  keys.hasAdmin || users.all.some(({ role, isActive }) => role === 'admin' && isActive)
