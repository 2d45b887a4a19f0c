import { type Kysely, sql } from 'kysely'
import { query } from './failures.ts'
import type { Tables } from './tables.ts'

/** What admins changed of the rules. Every method throws HubError `database_down`. */
export interface AlertSettingsStore {
  /** Values by key: a rule's name, `quiet_hours`. */
  all(): Promise<Map<string, unknown>>
  /** A text that is another after each change of these or of a channel, by whichever hub, and the same otherwise. */
  version(): Promise<string>
  /** Writes some, all or none of them. */
  put(values: ReadonlyMap<string, unknown>): Promise<void>
}

export function alertSettingsStore(db: Kysely<Tables>): AlertSettingsStore {
  return {
    async all() {
      const rows = await query(db.selectFrom('alert_settings').select(['key', 'value']).execute())
      return new Map(rows.map(({ key, value }) => [key, value]))
    },
    async version() {
      // Not the latest time of a change: hubs' clocks differ.
      const { rows } = await query(
        sql<{ version: string | null }>`select concat_ws(' ',
          (select md5(string_agg(concat(key, value, updated_at), ' ' order by key)) from alert_settings),
          (select md5(string_agg(concat(id, updated_at), ' ' order by id)) from alert_channels)) as version`.execute(db),
      )
      return rows[0]?.version ?? ''
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
