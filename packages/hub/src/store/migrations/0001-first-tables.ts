import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

const statements = [
  sql`create table proxy_devices (
    id uuid primary key,
    name varchar(100) not null unique,
    kind varchar(10) not null check (kind in ('agent', 'bare')),
    device_type varchar(50) not null,
    adopted_at timestamptz,
    maintenance boolean not null default false,
    proxy_scheme varchar(5),
    ip_address varchar(255),
    port integer,
    proxy_auth text,
    operator varchar(100),
    region varchar(100),
    tags text[] not null default '{}',
    weight double precision not null default 1,
    methods text[] not null default '{}',
    agent_version varchar(50),
    created_at timestamptz not null,
    updated_at timestamptz not null
  )`,
  sql`create table rotation_config (
    device_id uuid primary key references proxy_devices(id) on delete cascade,
    rotation_method varchar(50),
    rotation_interval integer not null,
    auto_rotation boolean not null default true,
    changed_count integer not null default 0,
    unchanged_count integer not null default 0,
    failed_count integer not null default 0,
    last_successful_rotation timestamptz,
    updated_at timestamptz not null default now()
  )`,
  // Room in each page, and no index on updated_at: then each update stays in its page (HOT) and the table does not grow.
  sql`create table proxy_heartbeat (
    device_id uuid primary key references proxy_devices(id) on delete cascade,
    remote_ip inet not null,
    ip_changes integer not null,
    created_at timestamptz not null,
    updated_at timestamptz not null
  ) with (fillfactor = 70)`,
  sql`create table ip_history (
    id uuid primary key default gen_random_uuid(),
    device_id uuid not null references proxy_devices(id) on delete cascade,
    ip_address inet not null,
    first_seen timestamptz not null,
    last_seen timestamptz not null,
    unique (device_id, ip_address, first_seen)
  )`,
  sql`create index ip_history_of_device on ip_history (device_id, first_seen desc)`,
  sql`create table rotations (
    id uuid primary key,
    device_id uuid not null references proxy_devices(id) on delete cascade,
    trigger varchar(20) not null,
    requested_method varchar(50),
    method varchar(50),
    state varchar(20) not null,
    old_ip inet,
    new_ip inet,
    reason varchar(50),
    detail varchar(500),
    comment varchar(100),
    created_at timestamptz not null,
    started_at timestamptz,
    deadline_at timestamptz,
    ended_at timestamptz
  )`,
  sql`create index rotations_of_device on rotations (device_id, created_at desc)`,
  sql`create index rotations_newest on rotations (created_at desc)`,
  // One rotation of a device at a time, whichever hub asks.
  sql`create unique index rotations_running on rotations (device_id) where ended_at is null`,
  sql`create table api_keys (
    id uuid primary key,
    name varchar(100) not null,
    scope varchar(20) not null check (scope in ('admin', 'proxy', 'device')),
    prefix varchar(20) not null,
    key_hash char(64) not null unique,
    device_id uuid references proxy_devices(id) on delete cascade,
    created_at timestamptz not null,
    revoked_at timestamptz,
    check ((scope = 'device') = (device_id is not null))
  )`,
  sql`create index api_keys_of_device on api_keys (device_id) where device_id is not null`,
  sql`create table enroll_tokens (
    token_hash char(64) primary key,
    name varchar(100),
    created_at timestamptz not null,
    expires_at timestamptz not null,
    used_at timestamptz
  )`,
  sql`create table system_config (
    key varchar(255) primary key,
    value text not null,
    updated_at timestamptz not null default now()
  )`,
]

/** What heartbeats, devices, rotations and keys need. Request logs, users and statistics come with the code that uses them. */
export const firstTables: Migration = {
  async up(db: Kysely<unknown>) {
    for (const statement of statements) await statement.execute(db)
  },
}
