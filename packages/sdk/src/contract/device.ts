import { z } from 'zod'
import { deviceName, ipAddress, label, timestamp } from './names.ts'
import { proxyUrl } from './proxy-url.ts'
import { rotationFailure, rotationMethod, rotationOutcome, rotationTrigger } from './rotation.ts'

export const deviceType = z.enum(['android', 'usb_modem', 'raspberry_pi', 'mini_pc', 'generic'])
export type DeviceType = z.infer<typeof deviceType>

/**
 * The specification's four, and ours: `rotating` (drained, getting a new exit IP) and
 * `pending` (has sent heartbeats, nobody has adopted it, never used for traffic).
 */
export const deviceStatus = z.enum(['online', 'offline', 'busy', 'maintenance', 'rotating', 'pending'])
export type DeviceStatus = z.infer<typeof deviceStatus>

/** `agent`: our agent enrolled it and executes rotations. `bare`: any proxy server with a crontab line. */
export const deviceKind = z.enum(['agent', 'bare'])
export type DeviceKind = z.infer<typeof deviceKind>

export const lastRotation = z.object({
  outcome: rotationOutcome,
  trigger: rotationTrigger,
  reason: rotationFailure.nullable(),
  ended_at: timestamp,
  duration_ms: z.int().nonnegative(),
})

export const rotationCounts = z.object({
  changed: z.int().nonnegative(),
  unchanged: z.int().nonnegative(),
  failed: z.int().nonnegative(),
})

/** What the hub tells parsers and admins of one device. `proxy_url` carries credentials: never shown without a key. */
export const device = z.object({
  id: z.uuid(),
  name: deviceName,
  kind: deviceKind,
  device_type: deviceType,
  status: deviceStatus,
  exit_ip: ipAddress.nullable(),
  /** Since when the exit IP is this one; a hub that does not know leaves it out. */
  ip_since: timestamp.nullable().optional(),
  proxy_url: proxyUrl.nullable(),
  operator: label.nullable(),
  region: label.nullable(),
  tags: z.array(label).max(50),
  /** Share of the traffic relative to the others, for the weighted balancer. */
  weight: z.number().positive().max(1000),
  rotation_method: rotationMethod.nullable(),
  /** Seconds between automatic rotations. */
  rotation_interval: z.int().positive(),
  auto_rotation: z.boolean(),
  last_heartbeat: timestamp.nullable(),
  last_ip_rotation: timestamp.nullable(),
  ip_changes: z.int().nonnegative(),
  rotations: rotationCounts,
  last_rotation: lastRotation.nullable(),
  created_at: timestamp,
  updated_at: timestamp,
})
export type DeviceJson = z.infer<typeof device>

/** The fields that an admin sets; the rest the hub learns. */
const settings = {
  device_type: deviceType,
  proxy_url: proxyUrl.nullable(),
  operator: label.nullable(),
  region: label.nullable(),
  tags: z.array(label).max(50),
  weight: z.number().positive().max(1000),
  rotation_method: rotationMethod.nullable(),
  rotation_interval: z.int().min(1).max(86_400),
  auto_rotation: z.boolean(),
}

/** Body of `POST /api/v1/admin/devices`. A `pending` device of that name is adopted and keeps its history. */
export const deviceCreate = z.strictObject({
  name: deviceName,
  device_type: settings.device_type.default('generic'),
  proxy_url: settings.proxy_url.default(null),
  operator: settings.operator.default(null),
  region: settings.region.default(null),
  tags: settings.tags.default([]),
  weight: settings.weight.default(1),
  rotation_method: settings.rotation_method.default(null),
  /** @default the hub's DEFAULT_ROTATION_INTERVAL */
  rotation_interval: settings.rotation_interval.optional(),
  auto_rotation: settings.auto_rotation.default(true),
})

/** Body of `PUT` and `PATCH /api/v1/admin/devices/{id}`: only what is given changes. */
export const deviceUpdate = z
  .strictObject({ ...settings, name: deviceName, maintenance: z.boolean() })
  .partial()
  .refine((body) => Object.keys(body).length > 0, 'names nothing to change')

/** `GET /api/v1/proxy/list` and `GET /api/v1/admin/devices`. */
export const deviceList = z.object({
  total: z.int().nonnegative(),
  devices: z.array(device),
  /** Where to resume `GET /api/v1/events`, so that nothing is missed between the list and the stream. */
  last_event_id: z.string(),
  timestamp,
})
export type DeviceListJson = z.infer<typeof deviceList>
