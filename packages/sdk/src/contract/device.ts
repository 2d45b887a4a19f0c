import { z } from 'zod'
import { ipSeenBefore } from './ip-history.ts'
import { deviceName, ipAddress, label, timestamp } from './names.ts'
import { proxyUrl } from './proxy-url.ts'
import { rotationFailure, rotationMethod, rotationOutcome, rotationTrigger } from './rotation.ts'
import { rotationSettingsShown } from './rotation-config.ts'
import { telemetry } from './telemetry.ts'
import { tunnelStatus } from './tunnel-status.ts'

/** What kind of device it is; decides nothing, and is what filters and groups go by. */
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

/**
 * How steadily a device is heard: `late` past its time-out (out of routing), `silent` past the time after which its owner is told,
 * `recovering` heard again but not for long enough to say that it is back, `flapping` coming and going.
 */
export const deviceCondition = z.enum(['steady', 'late', 'silent', 'recovering', 'flapping'])
export type DeviceCondition = z.infer<typeof deviceCondition>

/** The latest rotation of a device that is over. */
export const lastRotation = z.object({
  outcome: rotationOutcome,
  trigger: rotationTrigger,
  reason: rotationFailure.nullable(),
  ended_at: timestamp,
  duration_ms: z.int().nonnegative(),
})

/** Rotations of a device since the hub knows it, by outcome. */
export const rotationCounts = z.object({
  changed: z.int().nonnegative(),
  unchanged: z.int().nonnegative(),
  failed: z.int().nonnegative(),
})

/** What a device has of its own beyond what routing needs; a hub that does not know a field leaves it out. */
const details = {
  /** Host and port of `proxy_url`. */
  ip_address: z.string().nullable(),
  port: z.int().nullable(),
  condition: deviceCondition,
  /** Whether the device had its exit IP before; null: it had not. A moment after a change it is not known yet. */
  ip_seen_before: ipSeenBefore.nullable(),
  /** `direct`: at `proxy_url`; `gateway`: through the hub's gateway alone, by the tunnel that its agent dialled; `none`: not at all now. */
  reach: z.enum(['direct', 'gateway', 'none']),
  /**
   * The gateway with the user name that means this device, without a password, which is the asker's API key:
   * `http://device-0190c5d2-...@hub.example:8080`. Null: `reach` is not `gateway`.
   */
  gateway_url: z.string().nullable(),
  /** Null: its agent has dialled none since the hub's start. */
  tunnel: tunnelStatus.nullable(),
  maintenance: z.boolean(),
  agent_version: z.string().nullable(),
  /** How its agent can rotate it, best first. */
  methods: z.array(rotationMethod),
  /** A pool that takes its devices from the hub keeps to these two, and to its own `perDevice` where that is stricter. Null: the pool's. */
  requests_per_minute: z.int().nullable(),
  concurrency: z.int().nullable(),
  data_cap_bytes: z.int().nullable(),
  /** Day of the month on which the data plan begins anew. */
  data_cap_day: z.int(),
  /** Bytes of bodies both ways that pools reported since the plan's month began, with a cap or without. */
  data_used_bytes: z.int().nonnegative(),
  data_used_since: timestamp,
  /** Share of the rotations that changed the address; null before the first. */
  rotation_success_rate: z.number().min(0).max(1).nullable(),
  /** What its agent said last; null: nothing yet. */
  telemetry: telemetry.nullable(),
  telemetry_at: timestamp.nullable(),
  /** Attempts that pools have reported, all time. */
  total_requests: z.int().nonnegative(),
  successful_requests: z.int().nonnegative(),
  /** Banned and failed ones. */
  failed_requests: z.int().nonnegative(),
  avg_response_time_ms: z.int().nonnegative().nullable(),
}

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
  ...rotationSettingsShown.partial().shape,
  last_heartbeat: timestamp.nullable(),
  last_ip_rotation: timestamp.nullable(),
  ip_changes: z.int().nonnegative(),
  rotations: rotationCounts,
  last_rotation: lastRotation.nullable(),
  created_at: timestamp,
  updated_at: timestamp,
  ...z.object(details).partial().shape,
})
export type DeviceJson = z.infer<typeof device>

/** `GET /api/v1/proxy/list` and `GET /api/v1/admin/devices`. */
export const deviceList = z.object({
  /** How many there are that match, on all pages. */
  total: z.int().nonnegative(),
  devices: z.array(device),
  /** `after` of the next page; null or left out: this was the last. */
  next: z.string().nullable().optional(),
  /** Where to resume `GET /api/v1/events`, so that nothing is missed between the list and the stream. */
  last_event_id: z.string(),
  timestamp,
})
export type DeviceListJson = z.infer<typeof deviceList>
