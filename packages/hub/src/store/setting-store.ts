import { type Kysely, sql } from 'kysely'
import { query } from './failures.ts'
import type { Tables } from './tables.ts'

/** The table holds the hub's own notes, too; settings are told from them by this. */
const PREFIX = 'setting:'

/** A setting that an admin has kept in the database. */
interface StoredSetting {
  /** Its environment name. */
  name: string
  value: unknown
  /** When it was set, ms. */
  updatedAt: number
}

/** Reads and writes settings. Every method throws HubError `database_down`. */
export interface SettingStore {
  all(): Promise<StoredSetting[]>
  /** Writes several, all or none; null removes one. */
  put(settings: ReadonlyMap<string, { value: unknown; type: string; description: string } | null>): Promise<void>
}

export function settingStore(db: Kysely<Tables>): SettingStore {
  return {
    async all() {
      const rows = await query(
        db.selectFrom('system_config').select(['key', 'value', 'updated_at']).where('key', 'like', `${PREFIX}%`).execute(),
      )
      return rows.map(({ key, value, updated_at }) => ({
        name: key.slice(PREFIX.length),
        value: JSON.parse(value) as unknown,
        updatedAt: updated_at.getTime(),
      }))
    },
    async put(settings) {
      await query(
        db.transaction().execute(async (transaction) => {
          for (const [name, setting] of settings) {
            const key = PREFIX + name
            if (setting === null) {
              await transaction.deleteFrom('system_config').where('key', '=', key).execute()
              continue
            }
            const row = { value: JSON.stringify(setting.value), config_type: setting.type, description: setting.description }
            await transaction
              .insertInto('system_config')
              .values({ key, ...row })
              .onConflict((conflict) => conflict.column('key').doUpdateSet({ ...row, updated_at: sql`now()` }))
              .execute()
          }
        }),
      )
    },
  }
}
