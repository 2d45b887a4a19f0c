import { type Kysely, sql } from 'kysely'
import { query } from './failures.ts'
import type { Tables } from './tables.ts'

/** What admins changed of the rules. Every method throws HubError `database_down`. */
export interface AlertSettingsStore {
  /** Values by key: a rule's name, `quiet_hours`. */
  all(): Promise<Map<string, unknown>>
  /** Writes some, all or none of them. */
  put(values: ReadonlyMap<string, unknown>): Promise<void>
}

export function alertSettingsStore(db: Kysely<Tables>): AlertSettingsStore {
  return {
    async all() {
      const rows = await query(db.selectFrom('alert_settings').select(['key', 'value']).execute())
      return new Map(rows.map(({ key, value }) => [key, value]))
    },
    async put(values) {
      if (values.size === 0) return
      await query(
        db
          .insertInto('alert_settings')
          .values([...values].map(([key, value]) => ({ key, value: JSON.stringify(value), updated_at: new Date() })))
          .onConflict((conflict) =>
            conflict.column('key').doUpdateSet({ value: sql`excluded.value`, updated_at: sql`excluded.updated_at` }),
          )
          .execute(),
      )
    },
  }
}
