import type { DeviceJson, ProxyStatusJson } from '@mobilepool/sdk/contract'
import { type Device, exitOf } from '../fleet/device.ts'
import type { Fleet } from '../fleet/fleet.ts'
import { rotationSettingsJson } from './rotation-wire.ts'
import { stamp, stampOrNull } from './stamp.ts'

/** What of a device only the fleet can tell. */
type Teller = Pick<Fleet, 'status' | 'condition' | 'dataUse' | 'gatewayUrl'>

const lastRotationJson = ({ lastRotation: last }: Device): DeviceJson['last_rotation'] =>
  last && {
    outcome: last.outcome,
    trigger: last.trigger,
    reason: last.reason,
    ended_at: stamp(last.endedAt),
    duration_ms: Math.max(0, last.durationMs),
  }

/** A device for those with a key. */
export function deviceJson(device: Device, fleet: Teller): DeviceJson {
  const exit = exitOf(device)
  const dataUse = fleet.dataUse(device)
  return {
    id: device.id,
    name: device.name,
    kind: device.kind,
    device_type: device.deviceType,
    status: fleet.status(device),
    condition: fleet.condition(device),
    exit_ip: exit?.current ?? null,
    ip_since: stampOrNull(exit?.firstSeen ?? null),
    ip_seen_before: device.seenBefore && { times: device.seenBefore.times, last_seen: stamp(device.seenBefore.lastSeen) },
    proxy_url: device.proxyUrl,
    ...proxyAddress(device),
    operator: device.operator,
    region: device.region,
    tags: device.tags,
    weight: device.weight,
    maintenance: device.maintenance,
    requests_per_minute: device.requestsPerMinute,
    concurrency: device.concurrency,
    data_cap_bytes: device.dataCapBytes,
    data_cap_day: device.dataCapDay,
    data_used_bytes: dataUse.bytes,
    data_used_since: stamp(dataUse.since),
    agent_version: device.agentVersion,
    methods: device.methods,
    ...rotationJson(device),
    telemetry: device.telemetry?.said ?? null,
    telemetry_at: stampOrNull(device.telemetry?.at ?? null),
    reach: reachOf(device, fleet),
    gateway_url: gatewayUrlOf(device, fleet),
    tunnel: tunnelJson(device),
    last_heartbeat: stampOrNull(device.lastHeartbeat),
    ip_changes: device.ipChanges,
    ...totalsJson(device),
    created_at: stamp(device.createdAt),
    updated_at: stamp(device.updatedAt),
  }
}

/** A device for everybody: the line of `GET /status`. */
export function statusLine(device: Device, fleet: Teller): ProxyStatusJson {
  const exit = exitOf(device)
  return {
    name: device.name,
    remote_ip: exit?.current ?? null,
    last_seen: stampOrNull(device.lastHeartbeat),
    created_at: stamp(device.createdAt),
    id: device.id,
    kind: device.kind,
    device_type: device.deviceType,
    status: fleet.status(device),
    ip_since: stampOrNull(exit?.firstSeen ?? null),
    operator: device.operator,
    region: device.region,
    ip_changes: device.ipChanges,
    rotations: device.rotations,
    last_rotation: lastRotationJson(device),
  }
}

function proxyAddress({ proxyUrl }: Device): Pick<DeviceJson, 'ip_address' | 'port'> {
  if (proxyUrl === null) return { ip_address: null, port: null }
  // Kept in one spelling (store/proxy-address.ts), always with its port, after which nothing comes.
  const end = proxyUrl.lastIndexOf(':')
  return {
    ip_address: proxyUrl.slice(proxyUrl.lastIndexOf('@', end) + 1 || proxyUrl.indexOf('//') + 2, end),
    port: Number(proxyUrl.slice(end + 1)),
  }
}

function rotationJson(device: Device) {
  const { changed, unchanged, failed } = device.rotations
  const all = changed + unchanged + failed
  return {
    rotation_method: device.rotationMethod,
    rotation_interval: device.rotationInterval,
    auto_rotation: device.autoRotation,
    ...rotationSettingsJson(device),
    last_ip_rotation: stampOrNull(device.lastIpRotation),
    rotations: device.rotations,
    rotation_success_rate: all === 0 ? null : changed / all,
    last_rotation: lastRotationJson(device),
  }
}

function reachOf(device: Device, fleet: Pick<Fleet, 'gatewayUrl'>): DeviceJson['reach'] {
  if (device.proxyUrl !== null) return 'direct'
  return gatewayUrlOf(device, fleet) === null ? 'none' : 'gateway'
}

/** The gateway's URL with the user name that means the device; null: it is dialled by itself, or cannot be reached. */
export const gatewayUrlOf = ({ id, proxyUrl, tunnel }: Device, { gatewayUrl }: Pick<Fleet, 'gatewayUrl'>): string | null =>
  proxyUrl === null && tunnel?.isConnected && gatewayUrl !== null ? gatewayUrl.replace('://', `://device-${id}@`) : null

const tunnelJson = ({ tunnel }: Device): DeviceJson['tunnel'] =>
  tunnel && {
    connected: tunnel.isConnected,
    since: stamp(tunnel.since),
    sessions: tunnel.sessions,
    streams: tunnel.streams,
    rtt_ms: tunnel.rttMs,
  }

const totalsJson = ({ totals: { requests, successful, failed, durationMs } }: Device) => ({
  total_requests: requests,
  successful_requests: successful,
  failed_requests: failed,
  avg_response_time_ms: requests === 0 ? null : Math.round(durationMs / requests),
})
