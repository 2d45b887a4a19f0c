import { z } from 'zod'
import { alert } from './alert.ts'
import { quarantineEvent } from './ban.ts'
import { device } from './device.ts'
import { proxyStatus } from './heartbeat.ts'
import { deviceName, ipAddress, timestamp } from './names.ts'
import { rotation } from './rotation.ts'

/**
 * Events of `GET /api/v1/events` (server-sent events). With a key, `device` carries the whole device;
 * without one (where the hub allows public status) the line of `GET /status`.
 *
 * Resume with `Last-Event-ID`. When the hub no longer has what came since (or was restarted), it sends `reset`:
 * fetch the list again.
 */
export const hubEvents = {
  device,
  device_removed: z.object({ id: z.uuid(), name: deviceName }),
  /** Signs of life of the last second, one entry a device; it has no effect but on "last seen". */
  heartbeats: z.object({ devices: z.array(z.object({ id: z.uuid(), last_seen: timestamp })) }),
  ip_changed: z.object({ id: z.uuid(), name: deviceName, old_ip: ipAddress.nullable(), new_ip: ipAddress, at: timestamp }),
  rotation,
  /** Only for those with a key. */
  quarantine: quarantineEvent,
  /** An alert began, changed, was acknowledged or is over. Only for admins. */
  alert,
  reset: z.object({}),
} as const

/** The same events as an anonymous listener gets them. */
export const publicEvents = { ...hubEvents, device: proxyStatus } as const

/** One of `hubEvents`: what `event:` says in the stream. */
export type HubEventName = keyof typeof hubEvents
/** An event as who has a key gets it. */
export type HubEvent = { [Name in HubEventName]: { name: Name; data: z.infer<(typeof hubEvents)[Name]> } }[HubEventName]
/** An event as who has none gets it, where the hub shows its status to everybody. */
export type PublicEvent = { [Name in HubEventName]: { name: Name; data: z.infer<(typeof publicEvents)[Name]> } }[HubEventName]
