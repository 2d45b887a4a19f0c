import { type Kysely, sql } from 'kysely'
import { HubError } from '../errors.ts'
import { query } from './failures.ts'
import { checkSeal, connectTo, SEAL_CHECK_KEY, type StoreOptions } from './open.ts'
import { pulseStore } from './pulse-store.ts'
import { createSeal } from './seal.ts'
import type { Tables } from './tables.ts'

/** A hub writes its pulse every ten seconds. */
const AT_WORK_MS = 30_000

/** Sealed columns of `rotation_config`; each is sealed under the device's id and its own name. */
const ROTATION_COLUMNS = ['rotation_url', 'auth_token', 'rotation_headers', 'rotation_body'] as const

/**
 * Encrypts every secret of the database anew, all or none. No hub may be at work on it: one that is would go on to write with the former secret.
 * The database has to be migrated to this version (`openStore`).
 * @param secret the new secret key
 * @returns how many values were encrypted anew
 * @throws HubError `hub_at_work`, `secret_key_wrong` (the one in `options`), `database_down`, or as `openStore` does
 */
export async function resealStore(options: StoreOptions, secret: string, now: number): Promise<number> {
  const { db, seal, end } = await connectTo(options)
  try {
    await checkSeal(db, seal)
    const heard = await pulseStore(db).last()
    // The embedded database is locked by its hub.
    if (options.databaseUrl !== null && heard !== null && now - heard < AT_WORK_MS)
      throw new HubError(
        'hub_at_work',
        `A hub was at work on this database ${Math.round((now - heard) / 1000)} s ago: stop every hub, wait 30 s.`,
      )
    const next = createSeal(secret)
    const again = (text: string, context: string): string => next.close(seal.open(text, context), context)
    return await query(db.transaction().execute((transaction) => reseal(transaction, again)))
  } finally {
    await end()
  }
}

async function reseal(db: Kysely<Tables>, again: (text: string, context: string) => string): Promise<number> {
  await sql`set local statement_timeout = 0`.execute(db)
  // A hub that starts meanwhile waits here, and is told afterwards that its secret is the wrong one.
  await sql`lock table system_config, proxy_devices, rotation_config, alert_channels in exclusive mode`.execute(db)
  let count = 0

  for (const { id, proxy_auth } of await db
    .selectFrom('proxy_devices')
    .select(['id', 'proxy_auth'])
    .where('proxy_auth', 'is not', null)
    .execute()) {
    if (proxy_auth === null) continue
    await db
      .updateTable('proxy_devices')
      .set({ proxy_auth: again(proxy_auth, id) })
      .where('id', '=', id)
      .execute()
    count += 1
  }

  for (const { device_id, ...row } of await db
    .selectFrom('rotation_config')
    .select(['device_id', ...ROTATION_COLUMNS])
    .execute()) {
    const sealed = ROTATION_COLUMNS.flatMap((column) =>
      row[column] === null ? [] : [[column, again(row[column], `${device_id} ${column}`)]],
    )
    if (sealed.length === 0) continue
    await db.updateTable('rotation_config').set(Object.fromEntries(sealed)).where('device_id', '=', device_id).execute()
    count += sealed.length
  }

  for (const { id, address } of await db.selectFrom('alert_channels').select(['id', 'address']).execute()) {
    await db
      .updateTable('alert_channels')
      .set({ address: again(address, id) })
      .where('id', '=', id)
      .execute()
    count += 1
  }

  const { value } = await db.selectFrom('system_config').select('value').where('key', '=', SEAL_CHECK_KEY).executeTakeFirstOrThrow()
  await db
    .updateTable('system_config')
    .set({ value: again(value, SEAL_CHECK_KEY) })
    .where('key', '=', SEAL_CHECK_KEY)
    .execute()
  return count + 1
}
