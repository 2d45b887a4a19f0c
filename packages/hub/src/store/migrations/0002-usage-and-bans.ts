import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

const statements = [
  sql`create table request_logs (
    id uuid primary key default gen_random_uuid(),
    device_id uuid not null references proxy_devices(id) on delete cascade,
    client_ip inet,
    target_url varchar(1000),
    method varchar(20) not null,
    status_code integer,
    response_time_ms integer not null,
    external_ip inet,
    request_size bigint not null,
    response_size bigint not null,
    outcome varchar(40) not null,
    attempt integer not null,
    created_at timestamptz not null
  )`,
  sql`create index request_logs_newest on request_logs (created_at desc)`,
  sql`create index request_logs_of_device on request_logs (device_id, created_at desc)`,
  sql`create table usage_stats (
    device_id uuid not null references proxy_devices(id) on delete cascade,
    hour timestamptz not null,
    requests_count integer not null,
    successful_requests integer not null,
    banned_requests integer not null,
    failed_requests integer not null,
    response_time_ms_sum bigint not null,
    request_bytes bigint not null,
    response_bytes bigint not null,
    primary key (device_id, hour)
  ) with (fillfactor = 70)`,
  sql`create index usage_stats_by_hour on usage_stats (hour)`,
  sql`create table usage_batches (
    id uuid primary key,
    received_at timestamptz not null
  )`,
  sql`create index usage_batches_oldest on usage_batches (received_at)`,
  sql`create table quarantines (
    exit_ip inet not null,
    site varchar(255) not null,
    until_at timestamptz not null,
    rule varchar(100),
    updated_at timestamptz not null,
    primary key (exit_ip, site)
  )`,
  sql`create index quarantines_ending on quarantines (until_at)`,
]

/** What parsers report: their requests, and which exit IPs which sites have banned. */
export const usageAndBans: Migration = {
  async up(db: Kysely<unknown>) {
    for (const statement of statements) await statement.execute(db)
  },
}
