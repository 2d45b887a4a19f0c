import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'
import { createLogDay } from '../log-days.ts'

const DAY_MS = 86_400_000

const counters = sql`
  requests_count bigint not null,
  successful_requests bigint not null,
  banned_requests bigint not null,
  failed_requests bigint not null,
  response_time_ms_sum bigint not null,
  request_bytes bigint not null,
  response_bytes bigint not null,
  latency integer[] not null`

/** The log by days, so that retention drops tables; sums with latency histograms, by device, by site and by whoever reported. */
export const statistics: Migration = {
  async up(db: Kysely<unknown>) {
    await sql`alter table request_logs rename to request_logs_undivided`.execute(db)
    // No reference to the device: its removal would go through every day's table. Rows keep its name and end with their day.
    await sql`create table request_logs (
      id uuid not null default gen_random_uuid(),
      device_id uuid not null,
      device_name varchar(100),
      client_ip inet,
      target_url varchar(1000),
      site varchar(255),
      method varchar(20) not null,
      status_code integer,
      response_time_ms integer not null,
      external_ip inet,
      user_agent varchar(500),
      request_size bigint not null,
      response_size bigint not null,
      outcome varchar(40) not null,
      error_message varchar(500),
      attempt integer not null,
      created_at timestamptz not null
    ) partition by range (created_at)`.execute(db)
    const { rows } = await sql<{ day: Date }>`
      select distinct date_trunc('day', created_at, 'UTC') as day from request_logs_undivided`.execute(db)
    const today = Math.floor(Date.now() / DAY_MS) * DAY_MS
    for (const day of new Set([today, today + DAY_MS, ...rows.map((row) => row.day.getTime())])) await createLogDay(db, day)
    await sql`insert into request_logs (
        id, device_id, device_name, client_ip, target_url, method, status_code, response_time_ms, external_ip, request_size, response_size,
        outcome, attempt, created_at)
      select l.id, l.device_id, d.name, l.client_ip, l.target_url, l.method, l.status_code, l.response_time_ms, l.external_ip, l.request_size,
        l.response_size, l.outcome, l.attempt, l.created_at
      from request_logs_undivided l join proxy_devices d on d.id = l.device_id`.execute(db)
    await sql`drop table request_logs_undivided`.execute(db)
    await sql`alter table request_logs add primary key (created_at, id)`.execute(db)
    await sql`create index request_logs_of_device on request_logs (device_id, created_at, id)`.execute(db)

    await sql`alter table usage_stats add column latency integer[] not null default '{}'`.execute(db)
    // The site '' is all of them together: what an overview of the whole fleet reads.
    await sql`create table usage_sites (
      site varchar(255) not null, hour timestamptz not null, ${counters}, primary key (site, hour)
    ) with (fillfactor = 70)`.execute(db)
    await sql`create index usage_sites_by_hour on usage_sites (hour)`.execute(db)
    await sql`insert into usage_sites
      select '', hour, sum(requests_count), sum(successful_requests), sum(banned_requests), sum(failed_requests), sum(response_time_ms_sum),
        sum(request_bytes), sum(response_bytes), '{}'
      from usage_stats group by hour`.execute(db)
    await sql`create table usage_reporters (
      device_id uuid not null references proxy_devices(id) on delete cascade,
      reporter uuid not null,
      date timestamptz not null, ${counters}, primary key (device_id, reporter, date)
    ) with (fillfactor = 70)`.execute(db)
    await sql`create index usage_reporters_by_date on usage_reporters (date)`.execute(db)
    await sql`insert into device_totals
      select device_id, sum(requests_count), sum(successful_requests), sum(banned_requests + failed_requests), sum(response_time_ms_sum)
      from usage_stats group by device_id
      on conflict (device_id) do nothing`.execute(db)
  },
}
