import { type Kysely, sql } from 'kysely'
import type { Stint } from './device-store.ts'
import { query } from './failures.ts'
import { repeated } from './postgres.ts'
import type { Tables } from './tables.ts'

/** What is to be written of one device: its latest heartbeat, and the stints at addresses that began or ended since the last write. */
export interface Beat {
  deviceId: string
  name: string
  /** The name is not in the database yet: it becomes a pending device. */
  isNew: boolean
  createdAt: number
  seenAt: number
  /** The exit IP to show. */
  ip: string
  /** Absolute, so that writing a beat twice counts once. */
  ipChanges: number
  stints: Stint[]
}

/** What a pending device is made with. */
export interface NewDevice {
  /** Seconds. */
  rotationInterval: number
  requestsPerMinute: number | null
}

/** Writes heartbeats. Every method throws HubError `database_down`. */
export interface HeartbeatStore {
  /**
   * Writes a group in one statement; all of it or nothing, and writing it again changes nothing. Older beats never overwrite newer ones.
   * Beats of devices that are gone are left out. A new name that another hub has written first keeps the id that it got there: returned
   * are those ids, by the ones that were given here. Throws the driver's error when a value is refused (`isBadValue`).
   */
  write(beats: readonly Beat[], newDevice: NewDevice): Promise<ReadonlyMap<string, string>>
}

/** Times as texts; those of one group are a few milliseconds. */
function isoOnce(): (time: number) => string {
  const known = new Map<number, string>()
  return (time) => {
    const text = known.get(time) ?? new Date(time).toISOString()
    known.set(time, text)
    return text
  }
}

// Every writer takes its locks in the order of the names, so that two hubs' groups cannot wait for each other.
const byName = (a: Beat, b: Beat): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)

export function heartbeatStore(db: Kysely<Tables>): HeartbeatStore {
  return {
    async write(unsorted, { rotationInterval, requestsPerMinute }) {
      const iso = isoOnce()
      const beats = unsorted.toSorted(byName)
      const stints = beats.flatMap((beat) => beat.stints.map((stint) => ({ ...stint, deviceId: beat.deviceId })))
      const { rows } = await query(
        sql<{ given_id: string; id: string }>`
        ${repeated('heartbeats')} with beat as (
          select id, name, is_new, remote_ip::inet as remote_ip, ip_changes, created_at::timestamptz as created_at, seen_at::timestamptz as seen_at
          from unnest(
            ${beats.map((beat) => beat.deviceId)}::uuid[], ${beats.map((beat) => beat.name)}::text[], ${beats.map((beat) => beat.isNew)}::boolean[],
            ${beats.map((beat) => beat.ip)}::text[], ${beats.map((beat) => beat.ipChanges)}::integer[],
            ${beats.map((beat) => (beat.isNew ? iso(beat.createdAt) : null))}::text[], ${beats.map((beat) => iso(beat.seenAt))}::text[]
          ) as given(id, name, is_new, remote_ip, ip_changes, created_at, seen_at)
        ), created as (
          insert into proxy_devices (id, name, kind, device_type, requests_per_minute, created_at, updated_at)
          select id, name, 'bare', 'generic', ${requestsPerMinute}::integer, created_at, created_at from beat where is_new order by name
          -- Another hub that heard the name first keeps its id, even when both write at once.
          on conflict (name) do update set name = excluded.name
          returning id, name
        ), configured as (
          insert into rotation_config (device_id, rotation_interval) select id, ${rotationInterval}::integer from created
          on conflict do nothing
        ), target as (
          select beat.id as given_id, d.id, d.operator from beat join proxy_devices d on d.id = beat.id where not beat.is_new
          union all select beat.id, created.id, null from beat join created on created.name = beat.name where beat.is_new
        ), moved as (
          insert into ip_history (device_id, ip_address, first_seen, last_seen, operator)
          select distinct on (target.id, given.ip, given.first_seen)
            target.id, given.ip::inet, given.first_seen::timestamptz, given.last_seen::timestamptz, target.operator
          from unnest(
            ${stints.map((stint) => stint.deviceId)}::uuid[], ${stints.map((stint) => stint.ip)}::text[],
            ${stints.map((stint) => iso(stint.firstSeen))}::text[], ${stints.map((stint) => iso(stint.lastSeen))}::text[]
          ) as given(id, ip, first_seen, last_seen) join target on target.given_id = given.id
          order by target.id, given.ip, given.first_seen, given.last_seen desc
          on conflict (device_id, ip_address, first_seen) do update set last_seen = greatest(ip_history.last_seen, excluded.last_seen)
        ), beaten as (
        insert into proxy_heartbeat as hot (device_id, remote_ip, ip_changes, created_at, updated_at)
        select id, remote_ip, ip_changes, seen_at, seen_at
        from (
          select distinct on (target.id) target.id, beat.name, beat.remote_ip, beat.ip_changes, beat.seen_at
          from beat join target on target.given_id = beat.id order by target.id, beat.seen_at desc
        ) newest order by name
        on conflict (device_id) do update set
          remote_ip = case when excluded.updated_at >= hot.updated_at then excluded.remote_ip else hot.remote_ip end,
          ip_changes = greatest(hot.ip_changes, excluded.ip_changes),
          updated_at = greatest(hot.updated_at, excluded.updated_at)
        )
        select given_id, id from target where given_id <> id`.execute(db),
      )
      return new Map(rows.map((row) => [row.given_id, row.id]))
    },
  }
}
