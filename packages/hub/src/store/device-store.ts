import type {
  DeviceKind,
  DeviceType,
  RotationFailure,
  RotationMethod,
  RotationOutcome,
  RotationTrigger,
  TelemetryJson,
} from '@mobilepool/sdk/contract'
import { type Kysely, sql } from 'kysely'
import { isDuplicate, query } from './failures.ts'
import { joinProxyUrl, splitProxyUrl } from './proxy-address.ts'
import { fromRotationColumns, type RotationConfig, rotationConfigColumns, toRotationColumns } from './rotation-config.ts'
import type { Seal } from './seal.ts'
import type { Tables } from './tables.ts'

/** One stretch of time at one address, ms. */
export interface Stint {
  ip: string
  firstSeen: number
  lastSeen: number
}

/** What is set for a device by people or by its agent; times in ms. */
export interface DeviceSettings extends RotationConfig {
  id: string
  name: string
  kind: DeviceKind
  deviceType: DeviceType
  /** Null while the name is only pending. */
  adoptedAt: number | null
  maintenance: boolean
  proxyUrl: string | null
  operator: string | null
  region: string | null
  tags: string[]
  weight: number
  methods: RotationMethod[]
  agentVersion: string | null
  /** Null: as the pool is told. */
  requestsPerMinute: number | null
  /** Null: as the pool is told. */
  concurrency: number | null
  /** What the data plan holds a month; null: no cap. */
  dataCapBytes: number | null
  /** Day of the month on which the data plan begins anew; in a shorter month its last day. */
  dataCapDay: number
  rotationMethod: RotationMethod | null
  /** Seconds. */
  rotationInterval: number
  autoRotation: boolean
  createdAt: number
  updatedAt: number
}

/** How the last rotation of a device ended. */
export interface LastRotation {
  outcome: RotationOutcome
  trigger: RotationTrigger
  reason: RotationFailure | null
  endedAt: number
  durationMs: number
}

/** Attempts that pools have reported of a device, all time. */
export interface DeviceTotals {
  requests: number
  successful: number
  failed: number
  /** Of all of them together, ms. */
  durationMs: number
}

/** A device as it was last written. */
export interface DeviceRecord extends DeviceSettings {
  exitIp: string | null
  lastHeartbeat: number | null
  ipChanges: number
  /** The newest stint of each family. */
  stints: { v4: Stint | null; v6: Stint | null }
  rotations: Record<RotationOutcome, number>
  lastRotation: LastRotation | null
  lastIpRotation: number | null
  telemetry: { said: TelemetryJson; at: number } | null
  totals: DeviceTotals
  /** Since when the silence lasts that its owner was told of. */
  silentSince: number | null
}

/** Reads and writes devices. Proxy credentials are sealed on their way in. Every method throws HubError `database_down`. */
export interface DeviceStore {
  /** All of them; the hub keeps the fleet in memory. */
  all(): Promise<DeviceRecord[]>
  /** One, without its addresses and rotations; null when it is gone. */
  one(id: string): Promise<DeviceRecord | null>
  /** Inserts a device, or takes over the row of its id. False when another device has the name. */
  put(device: DeviceSettings): Promise<boolean>
  /** The same for many, all or none of them. False when another device has one of the names. */
  putMany(devices: readonly DeviceSettings[]): Promise<boolean>
  /** Writes since when the told silences last, in one statement. */
  setSilences(devices: readonly { id: string; silentSince: number | null }[]): Promise<void>
  /** Removes a device with everything that belongs to it. False when it was gone already. */
  remove(id: string): Promise<boolean>
}

const ms = (date: Date | null): number | null => (date === null ? null : date.getTime())

/** The row of `proxy_devices` for a device. */
function deviceRow(device: DeviceSettings, seal: Seal) {
  const proxy = device.proxyUrl === null ? null : splitProxyUrl(device.proxyUrl)
  return {
    id: device.id,
    name: device.name,
    kind: device.kind,
    device_type: device.deviceType,
    adopted_at: device.adoptedAt === null ? null : new Date(device.adoptedAt),
    maintenance: device.maintenance,
    proxy_scheme: proxy?.scheme ?? null,
    ip_address: proxy?.host ?? null,
    port: proxy?.port ?? null,
    proxy_auth: proxy?.auth ? seal.close(proxy.auth, device.id) : null,
    operator: device.operator,
    region: device.region,
    tags: device.tags,
    weight: device.weight,
    methods: device.methods,
    agent_version: device.agentVersion,
    requests_per_minute: device.requestsPerMinute,
    max_concurrency: device.concurrency,
    data_cap_bytes: device.dataCapBytes === null ? null : String(device.dataCapBytes),
    data_cap_day: device.dataCapDay,
    created_at: new Date(device.createdAt),
    updated_at: new Date(device.updatedAt),
  }
}

/** The row of `rotation_config` for a device. */
const rotationConfigRow = (device: DeviceSettings, seal: Seal) => ({
  device_id: device.id,
  rotation_method: device.rotationMethod,
  rotation_interval: device.rotationInterval,
  auto_rotation: device.autoRotation,
  ...toRotationColumns(device, seal),
  updated_at: new Date(device.updatedAt),
})

/** Writes a device and its rotation settings, inside the caller's transaction. */
export async function putDevice(db: Kysely<Tables>, device: DeviceSettings, seal: Seal): Promise<void> {
  const { id, created_at, ...row } = deviceRow(device, seal)
  await db
    .insertInto('proxy_devices')
    .values({ id, created_at, ...row })
    .onConflict((conflict) => conflict.column('id').doUpdateSet(row))
    .execute()
  const { device_id, ...config } = rotationConfigRow(device, seal)
  await db
    .insertInto('rotation_config')
    .values({ device_id, ...config })
    .onConflict((conflict) => conflict.column('device_id').doUpdateSet(config))
    .execute()
}

export function deviceStore(db: Kysely<Tables>, seal: Seal): DeviceStore {
  const rows = (id: string | null) =>
    db
      .selectFrom('proxy_devices as d')
      .innerJoin('rotation_config as c', 'c.device_id', 'd.id')
      .leftJoin('proxy_heartbeat as h', 'h.device_id', 'd.id')
      .selectAll('d')
      .select(['c.rotation_method', 'c.rotation_interval', 'c.auto_rotation', 'c.last_successful_rotation'])
      .select(rotationConfigColumns)
      .select(['c.changed_count', 'c.unchanged_count', 'c.failed_count'])
      .leftJoin('device_telemetry as t', 't.device_id', 'd.id')
      .leftJoin('device_totals as n', 'n.device_id', 'd.id')
      .select(['t.telemetry', 't.reported_at'])
      .select(['n.total_requests', 'n.successful_requests', 'n.failed_requests', 'n.response_time_ms_sum'])
      .select(['h.remote_ip', 'h.ip_changes', 'h.updated_at as beat_at'])
      .$if(id !== null, (select) => select.where('d.id', '=', id ?? ''))
      .execute()

  const toRecord = (
    row: Awaited<ReturnType<typeof rows>>[number],
    stints: DeviceRecord['stints'] | undefined,
    lastRotation: LastRotation | null,
  ): DeviceRecord => ({
    id: row.id,
    name: row.name,
    kind: row.kind,
    deviceType: row.device_type,
    adoptedAt: ms(row.adopted_at),
    maintenance: row.maintenance,
    proxyUrl: openProxyUrl(row, seal),
    operator: row.operator,
    region: row.region,
    tags: row.tags,
    weight: row.weight,
    methods: row.methods,
    agentVersion: row.agent_version,
    requestsPerMinute: row.requests_per_minute,
    concurrency: row.max_concurrency,
    dataCapBytes: row.data_cap_bytes === null ? null : Number(row.data_cap_bytes),
    dataCapDay: row.data_cap_day,
    rotationMethod: row.rotation_method,
    rotationInterval: row.rotation_interval,
    autoRotation: row.auto_rotation,
    ...fromRotationColumns(row, row.id, seal),
    createdAt: row.created_at.getTime(),
    updatedAt: row.updated_at.getTime(),
    exitIp: row.remote_ip,
    lastHeartbeat: ms(row.beat_at),
    ipChanges: row.ip_changes ?? 0,
    stints: stints ?? { v4: null, v6: null },
    rotations: { changed: row.changed_count, unchanged: row.unchanged_count, failed: row.failed_count },
    lastRotation,
    lastIpRotation: ms(row.last_successful_rotation),
    telemetry: row.telemetry === null || row.reported_at === null ? null : { said: row.telemetry, at: row.reported_at.getTime() },
    totals: {
      requests: Number(row.total_requests ?? 0),
      successful: Number(row.successful_requests ?? 0),
      failed: Number(row.failed_requests ?? 0),
      durationMs: Number(row.response_time_ms_sum ?? 0),
    },
    silentSince: ms(row.silent_since),
  })

  return {
    async all() {
      const [devices, stints, ended] = await Promise.all([query(rows(null)), query(newestStints(db)), query(lastRotations(db))])
      return devices.map((row) => toRecord(row, stints.get(row.id), ended.get(row.id) ?? null))
    },

    async one(id) {
      const [row] = await query(rows(id))
      return row === undefined ? null : toRecord(row, undefined, null)
    },

    async put(device) {
      try {
        await query(db.transaction().execute((transaction) => putDevice(transaction, device, seal)))
        return true
      } catch (error) {
        if (isDuplicate(error)) return false
        throw error
      }
    },

    async putMany(devices) {
      try {
        await query(
          db.transaction().execute(async (transaction) => {
            for (const device of devices) await putDevice(transaction, device, seal)
          }),
        )
        return true
      } catch (error) {
        if (isDuplicate(error)) return false
        throw error
      }
    },

    async setSilences(devices) {
      // In the order of the ids: two hubs' writes cannot wait for each other.
      const sorted = devices.toSorted((a, b) => (a.id < b.id ? -1 : 1))
      await query(
        sql`
        with locked as (
          select d.id, given.since from proxy_devices d
          join unnest(
            ${sorted.map(({ id }) => id)}::uuid[],
            ${sorted.map(({ silentSince }) => (silentSince === null ? null : new Date(silentSince).toISOString()))}::text[]
          ) as given(id, since) on given.id = d.id
          order by d.id for no key update of d
        )
        update proxy_devices set silent_since = locked.since::timestamptz from locked where proxy_devices.id = locked.id`.execute(db),
      )
    },

    async remove(id) {
      const removed = await query(db.deleteFrom('proxy_devices').where('id', '=', id).returning('id').execute())
      return removed.length > 0
    },
  }
}

function openProxyUrl(
  row: { id: string; proxy_scheme: string | null; ip_address: string | null; port: number | null; proxy_auth: string | null },
  seal: Seal,
): string | null {
  const { proxy_scheme: scheme, ip_address: host, port } = row
  if (scheme === null || host === null || port === null) return null
  return joinProxyUrl({ scheme, host, port, auth: row.proxy_auth === null ? null : seal.open(row.proxy_auth, row.id) })
}

async function newestStints(db: Kysely<Tables>): Promise<Map<string, { v4: Stint | null; v6: Stint | null }>> {
  const { rows } = await sql<{ device_id: string; family: number; ip_address: string; first_seen: Date; last_seen: Date }>`
    select distinct on (device_id, family(ip_address)) device_id, family(ip_address) as family, ip_address, first_seen, last_seen
    from ip_history order by device_id, family(ip_address), first_seen desc`.execute(db)
  const stints = new Map<string, { v4: Stint | null; v6: Stint | null }>()
  for (const row of rows) {
    const of = stints.get(row.device_id) ?? { v4: null, v6: null }
    of[row.family === 4 ? 'v4' : 'v6'] = { ip: row.ip_address, firstSeen: row.first_seen.getTime(), lastSeen: row.last_seen.getTime() }
    stints.set(row.device_id, of)
  }
  return stints
}

async function lastRotations(db: Kysely<Tables>): Promise<Map<string, LastRotation>> {
  const rows = await db
    .selectFrom('rotations')
    .distinctOn('device_id')
    .select(['device_id', 'state', 'trigger', 'reason', 'created_at', 'ended_at'])
    .where('ended_at', 'is not', null)
    .orderBy('device_id')
    .orderBy('created_at', 'desc')
    .execute()
  return new Map(
    rows.map((row) => {
      const endedAt = ms(row.ended_at) ?? 0
      const outcome = row.state as RotationOutcome
      return [row.device_id, { outcome, trigger: row.trigger, reason: row.reason, endedAt, durationMs: endedAt - row.created_at.getTime() }]
    }),
  )
}
