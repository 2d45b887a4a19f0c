import { z } from 'zod'
import { timestamp } from './names.ts'

/** What an alert can be about; `GET /api/v1/alerts/rules` lists them with their settings, docs/hub.md says what each watches. */
export const alertRule = z.enum([
  'device_silent',
  'success_rate',
  'rotation_failed',
  'limits_exceeded',
  'same_ip',
  'ban_storm',
  'egress_leak',
  'data_cap',
  'low_battery',
  'database_trouble',
  'flapping',
  'ip_changed',
])
export type AlertRule = z.infer<typeof alertRule>

/** From the least to the most urgent. */
export const alertSeverity = z.enum(['info', 'warning', 'critical'])
export type AlertSeverity = z.infer<typeof alertSeverity>

/** `resolved`: over for good, not only out of sight for a moment. */
export const alertState = z.enum(['firing', 'resolved'])
export type AlertState = z.infer<typeof alertState>

/** `group`: devices of one operator or region, or the whole fleet, that failed together. */
export const alertSubjectKind = z.enum(['device', 'group', 'fleet', 'site', 'key', 'user', 'hub'])
export type AlertSubjectKind = z.infer<typeof alertSubjectKind>

/** What an alert is about. */
export const alertSubject = z.object({
  kind: alertSubjectKind,
  /** A device's UUID, a site's name, `operator:MTS`. With the rule it names the alert: one of them fires at a time. */
  id: z.string().min(1).max(300),
  /** For people. */
  name: z.string().min(1).max(300),
})

/** Who has seen a firing alert and looks after it. */
export const alertAcknowledgement = z.object({ by: z.string(), at: timestamp, comment: z.string().nullable() })

/** One episode of trouble, from its beginning (which its rule's threshold made worth telling) to the moment it was over for good. */
export const alert = z.object({
  id: z.uuid(),
  rule: alertRule,
  severity: alertSeverity,
  state: alertState,
  subject: alertSubject,
  /** One line for people. */
  title: z.string(),
  detail: z.string(),
  /** What was measured when it was last judged, in the unit of the rule's threshold. */
  value: z.number().nullable(),
  started_at: timestamp,
  resolved_at: timestamp.nullable(),
  /** Null while it fires. */
  duration_ms: z.int().nonnegative().nullable(),
  acknowledged: alertAcknowledgement.nullable(),
  /** The devices of a group by name, the first hundred of them. */
  members: z.array(z.string()).max(100),
  members_total: z.int().nonnegative(),
})
export type AlertJson = z.infer<typeof alert>

/** `GET /api/v1/alerts?state=&rule=&severity=&subject=&limit=&after=`: newest first. `next`: what to give as `after` for the following page. */
export const alertList = z.object({ alerts: z.array(alert), next: z.string().nullable() })

/** Why a channel is told: it began, it became worse, it still lasts, it is over, or somebody tries the channel. */
export const alertNotice = z.enum(['firing', 'worse', 'reminder', 'resolved', 'test'])
export type AlertNotice = z.infer<typeof alertNotice>

/**
 * How far a notice is: `waiting` for its turn, its next attempt or the end of quiet hours; `sent`, as the far end acknowledged;
 * `failed` for good; `dropped`, because it was no longer true before it could be sent.
 */
export const alertDeliveryState = z.enum(['waiting', 'sent', 'failed', 'dropped'])
export type AlertDeliveryState = z.infer<typeof alertDeliveryState>

/** One notice to one channel. */
export const alertDelivery = z.object({
  id: z.uuid(),
  channel_id: z.uuid(),
  channel: z.string(),
  notice: alertNotice,
  state: alertDeliveryState,
  attempts: z.int().nonnegative(),
  created_at: timestamp,
  /** When it is tried next; null when it is over. */
  next_attempt_at: timestamp.nullable(),
  /** It waits for the end of quiet hours. */
  held: z.boolean(),
  sent_at: timestamp.nullable(),
  /** What the far end said to the last attempt. */
  answer: z.string().nullable(),
})
export type AlertDeliveryJson = z.infer<typeof alertDelivery>

/** `GET /api/v1/alerts/{id}` */
export const alertWithDeliveries = alert.extend({ deliveries: z.array(alertDelivery) })

/** Body of `POST /api/v1/alerts/{id}/ack`. */
export const alertAckRequest = z.strictObject({
  /** What is being done about it. */
  comment: z.string().trim().min(1).max(500).optional(),
})
