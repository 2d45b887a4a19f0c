import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

const statements = [
  sql`alter table proxy_devices
    add column requests_per_minute integer,
    add column max_concurrency integer,
    add column data_cap_bytes bigint,
    add column data_cap_day smallint not null default 1,
    add column silent_since timestamptz,
    alter column proxy_scheme type varchar(10)`,
  // What heartbeats and usage say too often for the row that people edit. Rewritten in place, like proxy_heartbeat.
  sql`create table device_telemetry (
    device_id uuid primary key references proxy_devices(id) on delete cascade,
    telemetry jsonb not null,
    reported_at timestamptz not null
  ) with (fillfactor = 70)`,
  sql`create table device_totals (
    device_id uuid primary key references proxy_devices(id) on delete cascade,
    total_requests bigint not null,
    successful_requests bigint not null,
    failed_requests bigint not null,
    response_time_ms_sum bigint not null
  ) with (fillfactor = 70)`,
  // An exit is an IPv4 address or the /64 of an IPv6 one (fleet/address.ts has the same rule): privacy addresses change within it.
  sql`alter table ip_history
    add column exit cidr generated always as (network(set_masklen(ip_address, case family(ip_address) when 4 then 32 else 64 end))) stored,
    add column operator varchar(100),
    add column total_requests bigint not null default 0,
    add column times_blocked integer not null default 0,
    add column blocked_at timestamptz,
    add column blocked_reason varchar(400)`,
  sql`create index ip_history_of_exit on ip_history (device_id, exit, first_seen desc)`,
  sql`create index ip_history_exits on ip_history (exit, first_seen desc)`,
]

/** What the specification asks of devices beyond the first tables: limits, data plan, telemetry, totals, addresses in full. */
export const devices: Migration = {
  async up(db: Kysely<unknown>) {
    for (const statement of statements) await statement.execute(db)
  },
}
