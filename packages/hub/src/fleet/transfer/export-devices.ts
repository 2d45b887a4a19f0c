import { stringify } from 'csv-stringify/sync'
import { type Device, exitOf } from '../device.ts'
import type { Fleet } from '../fleet.ts'

/** Devices turned into text in one go. */
const CHUNK = 200

/** A device as an export has it: what an import takes, then what the hub has learnt. */
function exported(device: Device, fleet: Pick<Fleet, 'status'>, withCredentials: boolean) {
  return {
    name: device.name,
    device_type: device.deviceType,
    proxy_url: withCredentials ? device.proxyUrl : withoutCredentials(device.proxyUrl),
    operator: device.operator,
    region: device.region,
    tags: device.tags,
    weight: device.weight,
    requests_per_minute: device.requestsPerMinute,
    concurrency: device.concurrency,
    data_cap_bytes: device.dataCapBytes,
    data_cap_day: device.dataCapDay,
    rotation_method: device.rotationMethod,
    rotation_interval: device.rotationInterval,
    auto_rotation: device.autoRotation,
    maintenance: device.maintenance,
    id: device.id,
    kind: device.kind,
    status: fleet.status(device),
    exit_ip: exitOf(device)?.current ?? null,
    last_heartbeat: device.lastHeartbeat === null ? null : new Date(device.lastHeartbeat).toISOString(),
    ip_changes: device.ipChanges,
    created_at: new Date(device.createdAt).toISOString(),
  }
}

function withoutCredentials(url: string | null): string | null {
  if (url === null) return null
  const bare = new URL(url)
  bare.username = ''
  bare.password = ''
  return bare.href.replace(/\/$/, '')
}

/** CSV with a heading; cells that a spreadsheet would run as formulas begin with a quote. */
export function* csvOf(devices: readonly Device[], fleet: Pick<Fleet, 'status'>, withCredentials: boolean): Generator<string> {
  for (let begin = 0; begin === 0 || begin < devices.length; begin += CHUNK) {
    const rows = devices.slice(begin, begin + CHUNK).map((device) => {
      const row = exported(device, fleet, withCredentials)
      return { ...row, tags: row.tags.join('|') }
    })
    yield stringify(rows, {
      header: begin === 0,
      columns: COLUMNS,
      escape_formulas: true,
      cast: { boolean: (value) => String(value) },
    })
  }
}

/** `{"devices":[...]}`, which `format=json` imports again. */
export function* jsonOf(devices: readonly Device[], fleet: Pick<Fleet, 'status'>, withCredentials: boolean): Generator<string> {
  yield '{"devices":['
  for (let begin = 0; begin < devices.length; begin += CHUNK) {
    const part = devices.slice(begin, begin + CHUNK).map((device) => JSON.stringify(exported(device, fleet, withCredentials)))
    yield `${begin === 0 ? '' : ',\n'}${part.join(',\n')}`
  }
  yield ']}\n'
}

const COLUMNS: (keyof ReturnType<typeof exported>)[] = [
  'name',
  'device_type',
  'proxy_url',
  'operator',
  'region',
  'tags',
  'weight',
  'requests_per_minute',
  'concurrency',
  'data_cap_bytes',
  'data_cap_day',
  'rotation_method',
  'rotation_interval',
  'auto_rotation',
  'maintenance',
  'id',
  'kind',
  'status',
  'exit_ip',
  'last_heartbeat',
  'ip_changes',
  'created_at',
]
