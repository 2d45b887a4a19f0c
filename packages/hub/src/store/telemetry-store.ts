import type { TelemetryJson } from '@mobilepool/sdk/contract'
import { type Kysely, sql } from 'kysely'
import { query } from './failures.ts'
import type { Tables } from './tables.ts'

/** Keeps what agents said last. Every method throws HubError `database_down`. */
export interface TelemetryStore {
  /** Writes a group in one statement. Older words never overwrite newer ones; devices that are gone are left out. */
  write(said: readonly { deviceId: string; telemetry: TelemetryJson; at: number }[]): Promise<void>
}

export function telemetryStore(db: Kysely<Tables>): TelemetryStore {
  return {
    async write(said) {
      await query(
        sql`
        insert into device_telemetry as known (device_id, telemetry, reported_at)
        select d.id, given.telemetry::jsonb, given.at::timestamptz
        from unnest(
          ${said.map(({ deviceId }) => deviceId)}::uuid[], ${said.map(({ telemetry }) => JSON.stringify(telemetry))}::text[],
          ${said.map(({ at }) => new Date(at).toISOString())}::text[]
        ) as given(id, telemetry, at) join proxy_devices d on d.id = given.id
        order by d.id
        on conflict (device_id) do update set telemetry = excluded.telemetry, reported_at = excluded.reported_at
        where known.reported_at <= excluded.reported_at`.execute(db),
      )
    },
  }
}
