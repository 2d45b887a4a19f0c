import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

const statements = [
  // URL, token, headers and body are sealed: any of them may be the credential.
  sql`alter table rotation_config
    add column rotation_url text,
    add column auth_token text,
    add column rotation_http_method varchar(10) not null default 'GET',
    add column rotation_headers text,
    add column rotation_body text,
    add column rotation_success_pattern varchar(200),
    add column rotation_attempts integer,
    add column rotation_retry_delay integer,
    add column rotation_max_time integer,
    add column rotation_unique varchar(10)`,
  sql`alter table rotations
    add column attempt integer not null default 0,
    add column max_attempts integer not null default 1,
    add column not_before timestamptz,
    add column unique_within varchar(10),
    add column batch_id uuid`,
  sql`update rotations set attempt = 1 where started_at is not null`,
  sql`create index rotations_of_batch on rotations (batch_id) where batch_id is not null`,
  sql`create table rotation_attempts (
    id uuid primary key,
    rotation_id uuid not null references rotations(id) on delete cascade,
    number integer not null,
    cause varchar(10) not null check (cause in ('asked', 'retry', 'unique')),
    method varchar(50),
    outcome varchar(20),
    old_ip inet,
    new_ip inet,
    reason varchar(50),
    detail varchar(500),
    started_at timestamptz not null,
    ended_at timestamptz,
    unique (rotation_id, number)
  )`,
  // A rotation that ran when the hub was updated: its agent knows its order by the rotation's id.
  sql`insert into rotation_attempts (id, rotation_id, number, cause, method, old_ip, started_at)
    select id, id, 1, 'asked', method, old_ip, started_at from rotations where started_at is not null and ended_at is null`,
  sql`create table rotation_links (
    id uuid primary key,
    device_id uuid not null references proxy_devices(id) on delete cascade,
    name varchar(100) not null,
    created_at timestamptz not null,
    revoked_at timestamptz,
    last_used_at timestamptz,
    used_count integer not null default 0
  )`,
  sql`create index rotation_links_of_device on rotation_links (device_id)`,
]

/** How a device is rotated, the attempts of a rotation, and links that rotate one device. */
export const rotations: Migration = {
  async up(db: Kysely<unknown>) {
    for (const statement of statements) await statement.execute(db)
  },
}
