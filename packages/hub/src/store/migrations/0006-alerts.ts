import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

const statements = [
  sql`create table alerts (
    id uuid primary key,
    rule varchar(40) not null,
    subject_kind varchar(20) not null,
    subject varchar(300) not null,
    subject_name varchar(300) not null,
    severity varchar(20) not null,
    title varchar(300) not null,
    detail varchar(2000) not null,
    value double precision,
    members jsonb not null default '[]',
    started_at timestamptz not null,
    resolved_at timestamptz,
    reminded_at timestamptz,
    acknowledged_at timestamptz,
    acknowledged_by varchar(200),
    acknowledged_comment varchar(500),
    check ((acknowledged_at is null) = (acknowledged_by is null))
  )`,
  // One alert about a thing at a time, whichever hub noticed.
  sql`create unique index alerts_firing on alerts (rule, subject) where resolved_at is null`,
  sql`create index alerts_newest on alerts (started_at desc, id desc)`,
  sql`create table alert_channels (
    id uuid primary key,
    kind varchar(20) not null,
    name varchar(100) not null unique,
    source varchar(20) not null check (source in ('api', 'environment')),
    address text not null,
    target varchar(500) not null,
    enabled boolean not null default true,
    min_severity varchar(20) not null,
    rules text[],
    disabled_reason varchar(500),
    last_sent_at timestamptz,
    last_error varchar(500),
    created_at timestamptz not null,
    updated_at timestamptz not null
  )`,
  sql`create table alert_deliveries (
    id uuid primary key default gen_random_uuid(),
    alert_id uuid not null references alerts(id) on delete cascade,
    channel_id uuid not null references alert_channels(id) on delete cascade,
    notice varchar(20) not null,
    message jsonb not null,
    state varchar(20) not null,
    attempts integer not null default 0,
    held boolean not null default false,
    created_at timestamptz not null,
    next_attempt_at timestamptz not null,
    claimed_until timestamptz,
    sent_at timestamptz,
    answer varchar(500)
  ) with (fillfactor = 80)`,
  sql`create index alert_deliveries_waiting on alert_deliveries (channel_id, next_attempt_at) where state = 'waiting'`,
  sql`create index alert_deliveries_of_alert on alert_deliveries (alert_id)`,
  sql`create table alert_settings (
    key varchar(50) primary key,
    value jsonb not null,
    updated_at timestamptz not null
  )`,
]

/** Alerts, where they are told, what was told, and how rules were set. */
export const alerts: Migration = {
  async up(db: Kysely<unknown>) {
    for (const statement of statements) await statement.execute(db)
  },
}
