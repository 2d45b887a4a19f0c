import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

/** The log is found by whoever reported it, who may see his own lines only, and by site: both were looked for through every line of the time asked for. */
export const logReaders: Migration = {
  async up(db: Kysely<unknown>) {
    await sql`create index request_logs_of_reporter on request_logs (reporter, created_at, id)`.execute(db)
    await sql`create index request_logs_of_site on request_logs (site, created_at, id)`.execute(db)
  },
}
