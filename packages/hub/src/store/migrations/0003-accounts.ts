import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

const statements = [
  sql`create table users (
    id uuid primary key,
    username varchar(255) not null,
    email varchar(255),
    password_hash varchar(255) not null,
    role varchar(50) not null default 'user' check (role in ('admin', 'user')),
    is_active boolean not null default true,
    requests_limit bigint check (requests_limit >= 0),
    requests_used bigint not null default 0,
    requests_since timestamptz not null,
    token_version integer not null default 1,
    last_login_at timestamptz,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    changed_at timestamptz not null default now()
  )`,
  sql`create unique index users_username on users (lower(username))`,
  sql`create unique index users_email on users (lower(email)) where email is not null`,
  sql`create table sessions (
    id uuid primary key,
    user_id uuid not null references users(id) on delete cascade,
    token_hash char(64) not null,
    previous_hash char(64),
    rotated_at timestamptz,
    address inet,
    user_agent varchar(200),
    created_at timestamptz not null,
    expires_at timestamptz not null,
    revoked_at timestamptz,
    revoked_because varchar(40)
  )`,
  sql`create index sessions_of_user on sessions (user_id)`,
  sql`create index sessions_ending on sessions (expires_at)`,
  sql`create index sessions_revoked on sessions (revoked_at) where revoked_at is not null`,

  sql`alter table api_keys drop constraint api_keys_scope_check`,
  sql`alter table api_keys add constraint api_keys_scope_check check (scope in ('admin', 'proxy', 'read', 'device'))`,
  sql`alter table api_keys
    add column user_id uuid references users(id) on delete cascade,
    add column expires_at timestamptz,
    add column last_used_at timestamptz,
    add column last_used_from inet,
    add column rate_limit integer check (rate_limit > 0),
    add column requests_limit bigint check (requests_limit >= 0),
    add column requests_used bigint not null default 0,
    add column requests_since timestamptz not null default now(),
    add column changed_at timestamptz not null default now()`,
  sql`create index api_keys_of_user on api_keys (user_id) where user_id is not null`,
  // What several hubs on one database look at to see each other's changes.
  sql`create index api_keys_changed on api_keys (changed_at)`,

  sql`create table audit_log (
    id bigint generated always as identity primary key,
    created_at timestamptz not null,
    actor_kind varchar(20) not null,
    actor_id uuid,
    actor_name varchar(255),
    address inet,
    action varchar(150) not null,
    method varchar(10),
    route varchar(200),
    subject varchar(255),
    status integer,
    fields text[] not null default '{}',
    request_id uuid
  )`,
  sql`create index audit_log_oldest on audit_log (created_at)`,
  sql`create index audit_log_of_actor on audit_log (actor_id, id desc) where actor_id is not null`,
  sql`create index audit_log_of_subject on audit_log (subject, id desc) where subject is not null`,

  sql`create table address_blocks (
    address varchar(50) primary key,
    reason varchar(200) not null,
    times integer not null,
    created_at timestamptz not null,
    until_at timestamptz not null,
    lifted_at timestamptz
  )`,

  sql`alter table system_config
    add column description text,
    add column config_type varchar(50) not null default 'string',
    add column created_at timestamptz not null default now()`,
]

/** Users and their sessions, what keys may and have done, the audit log, blocked addresses, settings kept in the database. */
export const accounts: Migration = {
  async up(db: Kysely<unknown>) {
    for (const statement of statements) await statement.execute(db)
  },
}
