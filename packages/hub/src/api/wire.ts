import type { BanJson, DeviceJson, DeviceStatus, ProxyStatusJson, RotationJson } from '@mobilepool/sdk/contract'
import { type Device, exitOf } from '../fleet/device.ts'
import type { QuarantineRecord, RotationRecord } from '../store/index.ts'

/** A moment as JSON has it. */
export const stamp = (time: number): string => new Date(time).toISOString()

/** The same for what may not have happened. */
export const stampOrNull = (time: number | null): string | null => (time === null ? null : stamp(time))

const lastRotationJson = ({ lastRotation: last }: Device): DeviceJson['last_rotation'] =>
  last && {
    outcome: last.outcome,
    trigger: last.trigger,
    reason: last.reason,
    ended_at: stamp(last.endedAt),
    duration_ms: Math.max(0, last.durationMs),
  }

/** A device for those with a key. */
export function deviceJson(device: Device, status: DeviceStatus): DeviceJson {
  const exit = exitOf(device)
  return {
    id: device.id,
    name: device.name,
    kind: device.kind,
    device_type: device.deviceType,
    status,
    exit_ip: exit?.current ?? null,
    ip_since: stampOrNull(exit?.firstSeen ?? null),
    proxy_url: device.proxyUrl,
    operator: device.operator,
    region: device.region,
    tags: device.tags,
    weight: device.weight,
    rotation_method: device.rotationMethod,
    rotation_interval: device.rotationInterval,
    auto_rotation: device.autoRotation,
    last_heartbeat: stampOrNull(device.lastHeartbeat),
    last_ip_rotation: stampOrNull(device.lastIpRotation),
    ip_changes: device.ipChanges,
    rotations: device.rotations,
    last_rotation: lastRotationJson(device),
    created_at: stamp(device.createdAt),
    updated_at: stamp(device.updatedAt),
  }
}

/** A device for everybody: the line of `GET /status`. */
export function statusLine(device: Device, status: DeviceStatus): ProxyStatusJson {
  const exit = exitOf(device)
  return {
    name: device.name,
    remote_ip: exit?.current ?? null,
    last_seen: stampOrNull(device.lastHeartbeat),
    created_at: stamp(device.createdAt),
    id: device.id,
    kind: device.kind,
    device_type: device.deviceType,
    status,
    ip_since: stampOrNull(exit?.firstSeen ?? null),
    operator: device.operator,
    region: device.region,
    ip_changes: device.ipChanges,
    rotations: device.rotations,
    last_rotation: lastRotationJson(device),
  }
}

export const rotationJson = (rotation: RotationRecord): RotationJson => ({
  id: rotation.id,
  device_id: rotation.deviceId,
  device_name: rotation.deviceName,
  trigger: rotation.trigger,
  method: rotation.method,
  state: rotation.state,
  old_ip: rotation.oldIp,
  new_ip: rotation.newIp,
  reason: rotation.reason,
  detail: rotation.detail ?? rotation.comment,
  created_at: stamp(rotation.createdAt),
  ended_at: stampOrNull(rotation.endedAt),
  duration_ms: rotation.endedAt === null ? null : Math.max(0, rotation.endedAt - rotation.createdAt),
})

/** A shared quarantine, seen from `now`. */
export const banJson = ({ exitIp, site, until, rule }: QuarantineRecord, now: number): BanJson => ({
  exit_ip: exitIp,
  site,
  until: stamp(until),
  lasts_ms: Math.max(0, Math.round(until - now)),
  rule,
})
