import type { AuditEntryJson, LoggedRequestJson } from '@mobilepool/sdk/contract'
import type { RotationRecord } from '../device/details.ts'
import { readRotationRecord } from '../device/read-details.ts'
import { readCount, readFields, readText, readTime } from '../fleet/fields.ts'
import { known, readList } from '../fleet/lists.ts'
import { readAddress } from '../fleet/read-device.ts'

/** One line of a log; `at`: ms since the epoch. */
export interface LogLine {
  readonly id: string
  readonly at: number
}

/** A page of a log, newest first. `next`: what to ask for as `after`; null: this was the last one. */
export interface LogPage<Line extends LogLine> {
  readonly lines: readonly Line[]
  readonly next: string | null
}

/** An attempt of a request, as a pool or the gateway reported it. */
export interface RequestLine extends LogLine {
  readonly device: string | null
  readonly exitIp: string | null
  readonly method: string
  readonly target: string | null
  readonly status: number | null
  readonly outcome: string
  readonly error: string | null
  readonly attempt: number
  readonly durationMs: number
  readonly bytes: number
}

/** A rotation, with the device whose it was. */
export interface RotationLine extends LogLine, RotationRecord {
  readonly device: string
}

/** An exit that the fleet had; `at`: when it was seen last. */
export interface AddressLine extends LogLine {
  readonly ip: string
  readonly times: number
  readonly devices: number
  readonly firstSeen: number
  readonly requests: number
  readonly blocked: number
}

/** Who changed what. */
export interface AuditLine extends LogLine {
  readonly actor: string
  readonly action: string
  readonly subject: string | null
  readonly status: number | null
  readonly address: string | null
  readonly fields: readonly string[]
}

/** A reader of a page whose lines are in this field. */
const pageOf =
  <Line extends LogLine>(field: string, read: (json: unknown) => Line | null) =>
  (json: unknown): LogPage<Line> | null => {
    const page = readFields(json)
    if (page === null || !Array.isArray(page[field])) return null
    const next = typeof page.next === 'number' ? String(page.next) : readText(page.next, 400)
    return { lines: readList(page[field]).map(read).filter(known), next }
  }

/** Reads `GET /api/v1/stats/requests`. */
export const readRequests = pageOf('requests', (json): RequestLine | null => {
  const line: { readonly [Field in keyof LoggedRequestJson]?: unknown } | null = readFields(json)
  const id = readText(line?.id)
  const at = readTime(line?.at)
  if (line === null || id === null || at === null) return null
  return {
    id,
    at,
    device: readText(line.device),
    exitIp: readAddress(line.exit_ip),
    method: readText(line.method, 20) ?? '',
    target: readText(line.target, 2_000) ?? readText(line.site),
    status: readCount(line.status),
    outcome: readText(line.outcome, 40) ?? '',
    error: readText(line.error, 500),
    attempt: readCount(line.attempt) ?? 1,
    durationMs: readCount(line.duration_ms) ?? 0,
    bytes: (readCount(line.bytes_up) ?? 0) + (readCount(line.bytes_down) ?? 0),
  }
})

/** Reads `GET /api/v1/rotations`. */
export const readRotationPage = pageOf('rotations', (json): RotationLine | null => {
  const record = readRotationRecord(json)
  return record && { ...record, at: record.startedAt, device: readText(readFields(json)?.device_name) ?? '' }
})

/** Reads `GET /api/v1/stats/ips`. */
export const readAddresses = pageOf('ips', (json): AddressLine | null => {
  const line = readFields(json)
  const ip = readText(line?.ip, 50)
  const at = readTime(line?.last_seen)
  const firstSeen = readTime(line?.first_seen)
  if (line === null || ip === null || at === null || firstSeen === null) return null
  return {
    id: ip,
    ip,
    at,
    firstSeen,
    times: readCount(line.times) ?? 1,
    devices: readCount(line.devices) ?? 1,
    requests: readCount(line.total_requests) ?? 0,
    blocked: readCount(line.times_blocked) ?? 0,
  }
})

/** Reads `GET /api/v1/audit`. */
export const readAudit = pageOf('entries', (json): AuditLine | null => {
  const line: { readonly [Field in keyof AuditEntryJson]?: unknown } | null = readFields(json)
  const id = readCount(line?.id)
  const at = readTime(line?.at)
  if (line === null || id === null || at === null) return null
  const actor: { readonly [Field in keyof AuditEntryJson['actor']]?: unknown } | null = readFields(line.actor)
  return {
    id: String(id),
    at,
    actor: readText(actor?.name) ?? readText(actor?.kind) ?? '',
    action: readText(line.action) ?? '',
    subject: readText(line.subject, 300),
    status: readCount(line.status),
    address: readText(line.address, 50),
    fields: readList(line.fields)
      .map((field) => readText(field))
      .filter(known),
  }
})
