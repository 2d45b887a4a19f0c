import { z } from 'zod'
import { deviceKind, deviceStatus, deviceType, lastRotation, rotationCounts } from './device.ts'
import { deviceName, ipAddress, label, timestamp } from './names.ts'

/** Reply of `GET /proxy_server?name=`: exactly these five fields, in this order (Korean specification). */
export const heartbeatReply = z.object({
  success: z.literal(true),
  name: deviceName,
  remote_ip: ipAddress,
  ip_changed: z.boolean(),
  timestamp,
})
export type HeartbeatReplyJson = z.infer<typeof heartbeatReply>

/** One line of `GET /status`: the specification's four fields first, then ours. Nothing in it is secret. */
export const proxyStatus = z.object({
  name: deviceName,
  remote_ip: ipAddress.nullable(),
  last_seen: timestamp.nullable(),
  created_at: timestamp,
  id: z.uuid(),
  kind: deviceKind,
  device_type: deviceType,
  status: deviceStatus,
  /** Since when `remote_ip` is this one; a hub that does not know leaves it out. */
  ip_since: timestamp.nullable().optional(),
  operator: label.nullable(),
  region: label.nullable(),
  ip_changes: z.int().nonnegative(),
  rotations: rotationCounts,
  last_rotation: lastRotation.nullable(),
})
export type ProxyStatusJson = z.infer<typeof proxyStatus>

/** Reply of `GET /status`. */
export const statusReply = z.object({
  total: z.int().nonnegative(),
  proxies: z.array(proxyStatus),
  timestamp,
  last_event_id: z.string(),
  /** Where the next page begins: `after` of the next question; null: this was the last. Hubs of before leave it out. */
  next: z.string().nullable().optional(),
})
export type StatusReplyJson = z.infer<typeof statusReply>
