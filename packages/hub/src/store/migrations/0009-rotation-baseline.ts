import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

const statements = [
  sql`alter table rotation_attempts
    add column before_v4 inet,
    add column before_v6 inet,
    add column before_probed inet,
    add column called_at timestamptz`,
  // Attempts of rotations under way when the hub was updated: the one address that was kept stands for all.
  sql`update rotation_attempts set
    before_v4 = case when family(old_ip) = 4 then old_ip end,
    before_v6 = case when family(old_ip) = 6 then old_ip end,
    before_probed = old_ip
    where old_ip is not null and rotation_id in (select id from rotations where ended_at is null)`,
]

/** What an attempt of a rotation is judged by outlives the hub: the addresses of both families before it, and when its URL was called. */
export const rotationBaseline: Migration = {
  async up(db: Kysely<unknown>) {
    for (const statement of statements) await statement.execute(db)
  },
}
