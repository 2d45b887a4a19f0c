import { type Kysely, sql } from 'kysely'
import { query } from './failures.ts'
import type { Tables } from './tables.ts'

const KEY = 'hub_pulse'

/** When a hub was last at work: the time before its start that it cannot blame on devices. Times in ms. */
export interface PulseStore {
  last(): Promise<number | null>
  beat(at: number): Promise<void>
}

export function pulseStore(db: Kysely<Tables>): PulseStore {
  return {
    async last() {
      const row = await query(db.selectFrom('system_config').select('value').where('key', '=', KEY).executeTakeFirst())
      return row ? Date.parse(row.value) : null
    },
    async beat(at) {
      const value = new Date(at).toISOString()
      await query(
        db
          .insertInto('system_config')
          .values({ key: KEY, value })
          .onConflict((conflict) => conflict.column('key').doUpdateSet({ value, updated_at: sql`now()` }))
          .execute(),
      )
    },
  }
}
