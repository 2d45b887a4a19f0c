import type { DeviceJson, RotationJson } from '@mobilepool/sdk/contract'
import { readCount, readFields, readText, readTime } from '../fleet/fields.ts'
import { known, readList, readNumber } from '../fleet/lists.ts'
import { readAddress, readRotation, readTrigger } from '../fleet/read-device.ts'
import type { Details, IpStretch, RotationRecord, Traffic } from './details.ts'

/** Reads `GET /api/v1/admin/devices/{id}`. */
export function readDetails(json: unknown): Details | null {
  const device: { readonly [Field in keyof DeviceJson]?: unknown } | null = readFields(json)
  if (device === null || readText(device.id) === null) return null
  const telemetry: { readonly [Field in keyof NonNullable<DeviceJson['telemetry']>]?: unknown } = readFields(device.telemetry) ?? {}
  return {
    tags: readList(device.tags)
      .map((tag) => readText(tag))
      .filter(known),
    isInMaintenance: device.maintenance === true,
    hasAgent: device.kind === 'agent',
    agentVersion: readText(device.agent_version),
    telemetry: {
      networkType: readText(telemetry.network_type),
      signal: readCount(telemetry.signal),
      battery: readCount(telemetry.battery),
      temperature: readNumber(telemetry.temperature),
      at: readTime(device.telemetry_at),
    },
    dataUsedBytes: readCount(device.data_used_bytes),
    dataCapBytes: readCount(device.data_cap_bytes),
  }
}

/** Reads `GET /api/v1/admin/devices/{id}/stats`. */
export function readTraffic(json: unknown): Traffic | null {
  const total = readFields(readFields(json)?.total)
  const requests = readCount(total?.requests)
  if (total === null || requests === null) return null
  return {
    requests,
    successRate: readNumber(total.success_rate),
    p95Ms: readCount(total.p95_ms),
    bytes: (readCount(total.bytes_up) ?? 0) + (readCount(total.bytes_down) ?? 0),
  }
}

/** Reads one rotation of the API. */
export function readRotationRecord(json: unknown): RotationRecord | null {
  const news = readRotation(json)
  const fields: { readonly [Field in keyof RotationJson]?: unknown } | null = readFields(json)
  const startedAt = readTime(fields?.created_at)
  if (news === null || fields === null || startedAt === null) return null
  return {
    id: news.id,
    state: news.ended ? news.result.outcome : news.state,
    trigger: readTrigger(fields.trigger),
    reason: news.ended ? news.result.reason : null,
    detail: readText(fields.detail, 500),
    oldIp: readAddress(fields.old_ip),
    newIp: readAddress(fields.new_ip),
    startedAt,
    durationMs: readCount(fields.duration_ms),
  }
}

/** Reads `GET /api/v1/rotations`. */
export const readRotations = (json: unknown): readonly RotationRecord[] =>
  readList(readFields(json)?.rotations).map(readRotationRecord).filter(known)

/** Reads `GET /api/v1/admin/devices/{id}/ips`. */
export const readIps = (json: unknown): readonly IpStretch[] => readList(readFields(json)?.ips).map(readStretch).filter(known)

function readStretch(json: unknown): IpStretch | null {
  const fields = readFields(json)
  const ip = readAddress(fields?.ip)
  const from = readTime(fields?.first_seen)
  const to = readTime(fields?.last_seen)
  if (fields === null || ip === null || from === null || to === null) return null
  return {
    ip,
    from,
    to,
    isCurrent: fields.is_current === true,
    seenBefore: readCount(readFields(fields.seen_before)?.times) ?? 0,
    isBlocked: fields.is_blocked === true,
    blockedFor: readList(fields.blocked_for)
      .map((site) => readText(site))
      .filter(known),
  }
}
