import type { DeviceJson, ProxyStatusJson, RotationJson } from '@mobilepool/sdk/contract'
import type { Device, DeviceType, LastRotation, RotationFailure, RotationOutcome, RotationState, RotationTrigger } from './device.ts'
import { type Fields, readCount, readFields, readOneOf, readText, readTime } from './fields.ts'

/** A device and its last sign of life (ms since the epoch), which changes far more often than the rest. */
export interface Sighting {
  readonly device: Device
  readonly lastSeen: number | null
}

/** The fields of both views of a device. Should the contract rename one, this file does not compile. */
type Line = { readonly [Field in keyof (ProxyStatusJson & DeviceJson)]?: unknown }

// Written out because the page takes only types from the contract; the types make each list complete.
const statuses = { online: 1, offline: 1, busy: 1, maintenance: 1, rotating: 1, pending: 1 } satisfies Record<DeviceJson['status'], 1>
const types = { android: 1, usb_modem: 1, raspberry_pi: 1, mini_pc: 1, generic: 1 } satisfies Record<DeviceType, 1>
const triggers = { interval: 1, requests: 1, session: 1, ban: 1, forced: 1, link: 1 } satisfies Record<RotationTrigger, 1>
const outcomes = { changed: 1, unchanged: 1, failed: 1 } satisfies Record<RotationOutcome, 1>
const failures = {
  device_unreachable: 1,
  permission_denied: 1,
  unsupported: 1,
  sim_missing: 1,
  sim_locked: 1,
  no_registration: 1,
  no_data_session: 1,
  probe_failed: 1,
  egress_leak: 1,
  stuck_offline: 1,
  deadline_exceeded: 1,
  busy: 1,
  too_soon: 1,
  auth_failed: 1,
  canceled: 1,
} satisfies Record<RotationFailure, 1>
const states = { queued: 1, draining: 1, rotating: 1, verifying: 1, ...outcomes } satisfies Record<RotationState, 1>

/** IPv4 or IPv6, as far as the page cares: what is copied from it holds nothing else. */
const ADDRESS = /^[0-9a-f.:]{2,45}$/i

/** An exit IP. */
export function readAddress(value: unknown): string | null {
  return typeof value === 'string' && ADDRESS.test(value) ? value : null
}

/** Why a rotation happened. */
export const readTrigger = (value: unknown): RotationTrigger | null => readOneOf(value, triggers)

/** Reads a line of `GET /status` or a whole device; null when it lacks what a row cannot do without: an id and a name. */
export function readDevice(json: unknown): Sighting | null {
  const line: Line | null = readFields(json)
  const id = readText(line?.id)
  const name = readText(line?.name)
  if (!line || id === null || name === null) return null
  return {
    lastSeen: readTime(line.last_seen ?? line.last_heartbeat),
    device: {
      id,
      name,
      type: readOneOf(line.device_type, types) ?? 'generic',
      status: readOneOf(line.status, statuses) ?? 'unknown',
      operator: readText(line.operator),
      region: readText(line.region),
      exitIp: readAddress(line.remote_ip ?? line.exit_ip),
      exitIpSince: readTime(line.ip_since),
      ipChanges: readCount(line.ip_changes) ?? 0,
      rotations: readRotationCounts(line.rotations),
      lastRotation: readLastRotation(line.last_rotation),
    },
  }
}

function readRotationCounts(json: unknown): Device['rotations'] {
  const counts: Fields = readFields(json) ?? {}
  return {
    changed: readCount(counts.changed) ?? 0,
    unchanged: readCount(counts.unchanged) ?? 0,
    failed: readCount(counts.failed) ?? 0,
  }
}

function readLastRotation(json: unknown): LastRotation | null {
  const fields: { readonly [Field in keyof NonNullable<DeviceJson['last_rotation']>]?: unknown } = readFields(json) ?? {}
  const outcome = readOneOf(fields.outcome, outcomes)
  const endedAt = readTime(fields.ended_at)
  if (outcome === null || endedAt === null) return null
  return {
    outcome,
    endedAt,
    trigger: readTrigger(fields.trigger),
    reason: readOneOf(fields.reason, failures),
    durationMs: readCount(fields.duration_ms) ?? 0,
  }
}

/** One `rotation` event: under way, or ended. */
export type RotationNews =
  | { readonly ended: false; readonly deviceId: string; readonly id: string; readonly state: RotationState; readonly startedAt: number }
  | { readonly ended: true; readonly deviceId: string; readonly id: string; readonly result: LastRotation }

/** Reads a rotation; null when it says not whose it is or how far. */
export function readRotation(json: unknown): RotationNews | null {
  const fields: { readonly [Field in keyof RotationJson]?: unknown } = readFields(json) ?? {}
  const id = readText(fields.id)
  const deviceId = readText(fields.device_id)
  const state = readOneOf(fields.state, states)
  const startedAt = readTime(fields.created_at)
  if (id === null || deviceId === null || state === null || startedAt === null) return null
  const outcome = readOneOf(state, outcomes)
  if (outcome === null) return { ended: false, deviceId, id, state, startedAt }
  const result = {
    outcome,
    trigger: readTrigger(fields.trigger),
    reason: readOneOf(fields.reason, failures),
    endedAt: readTime(fields.ended_at) ?? startedAt,
    durationMs: readCount(fields.duration_ms) ?? 0,
  }
  return { ended: true, deviceId, id, result }
}
