import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

/** Stands for those who reported before reporters were told apart. */
const NOBODY = '00000000-0000-0000-0000-000000000000'

const statements = [
  // Whose line it is, for those who may see their own only.
  sql`alter table request_logs add column reporter uuid, add column session varchar(100)`,
  sql`create index ip_history_by_time on ip_history (first_seen, id)`,
  // Days are read from here, hours from usage_stats: both must add up to the same.
  sql`insert into usage_reporters
    select hours.device_id, ${sql.lit(NOBODY)}::uuid, hours.date, hours.n - coalesce(days.n, 0), hours.ok - coalesce(days.ok, 0),
      hours.banned - coalesce(days.banned, 0), hours.failed - coalesce(days.failed, 0), hours.ms - coalesce(days.ms, 0),
      hours.up - coalesce(days.up, 0), hours.down - coalesce(days.down, 0), '{}'
    from (
      select device_id, date_trunc('day', hour, 'UTC') as date, sum(requests_count) as n, sum(successful_requests) as ok,
        sum(banned_requests) as banned, sum(failed_requests) as failed, sum(response_time_ms_sum) as ms, sum(request_bytes) as up,
        sum(response_bytes) as down
      from usage_stats group by 1, 2
    ) hours left join (
      select device_id, date, sum(requests_count) as n, sum(successful_requests) as ok, sum(banned_requests) as banned,
        sum(failed_requests) as failed, sum(response_time_ms_sum) as ms, sum(request_bytes) as up, sum(response_bytes) as down
      from usage_reporters group by 1, 2
    ) days using (device_id, date)
    where hours.n > coalesce(days.n, 0)
    on conflict do nothing`,
]

/** Lines of the log know who reported them and their session; days of devices are complete; addresses are found by time. */
export const logOwners: Migration = {
  async up(db: Kysely<unknown>) {
    for (const statement of statements) await statement.execute(db)
  },
}
