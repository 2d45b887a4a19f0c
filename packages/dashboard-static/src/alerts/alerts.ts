import type { AlertChannelJson, AlertJson, AlertRule, AlertSeverity } from '@mobilepool/sdk/contract'
import { readCount, readFields, readOneOf, readText, readTime } from '../fleet/fields.ts'
import { known, readList } from '../fleet/lists.ts'

/** An alert as the page shows it; times in ms since the epoch. */
export interface Alert {
  readonly id: string
  readonly rule: AlertRule
  readonly severity: AlertSeverity
  readonly isFiring: boolean
  readonly title: string
  readonly detail: string
  readonly startedAt: number
  readonly durationMs: number | null
  /** Who looks after it. */
  readonly acknowledgedBy: string | null
  readonly comment: string | null
}

/** Where alerts are told. */
export interface Channel {
  readonly id: string
  readonly kind: AlertChannelJson['kind']
  readonly name: string
  readonly isEnabled: boolean
  readonly target: string
  readonly lastSentAt: number | null
  readonly trouble: string | null
  /** The hub's environment set it: it cannot be removed here. */
  readonly isFixed: boolean
}

// Written out because the page takes only types from the contract; the types make each list complete.
const alertRules = {
  device_silent: 1,
  success_rate: 1,
  rotation_failed: 1,
  limits_exceeded: 1,
  same_ip: 1,
  ban_storm: 1,
  egress_leak: 1,
  data_cap: 1,
  low_battery: 1,
  database_trouble: 1,
  flapping: 1,
  ip_changed: 1,
} satisfies Record<AlertRule, 1>
const severities = { info: 1, warning: 1, critical: 1 } satisfies Record<AlertSeverity, 1>
const kinds = { telegram: 1, slack: 1, email: 1, webhook: 1 } satisfies Record<Channel['kind'], 1>
const LONGEST = 2_000

function readAlert(json: unknown): Alert | null {
  const alert: { readonly [Field in keyof AlertJson]?: unknown } | null = readFields(json)
  const id = readText(alert?.id)
  const rule = readOneOf(alert?.rule, alertRules)
  const startedAt = readTime(alert?.started_at)
  if (alert === null || id === null || rule === null || startedAt === null) return null
  const acknowledged: { readonly [Field in 'by' | 'comment']?: unknown } | null = readFields(alert.acknowledged)
  return {
    id,
    rule,
    severity: readOneOf(alert.severity, severities) ?? 'warning',
    isFiring: alert.state === 'firing',
    title: readText(alert.title, LONGEST) ?? rule,
    detail: readText(alert.detail, LONGEST) ?? '',
    startedAt,
    durationMs: readCount(alert.duration_ms),
    acknowledgedBy: readText(acknowledged?.by),
    comment: readText(acknowledged?.comment, LONGEST),
  }
}

/** Reads `GET /api/v1/alerts`. */
export function readAlerts(json: unknown): readonly Alert[] | null {
  const fields = readFields(json)
  return fields === null ? null : readList(fields.alerts).map(readAlert).filter(known)
}

/** Reads `GET /api/v1/alerts/channels`. */
export function readChannels(json: unknown): readonly Channel[] | null {
  const fields = readFields(json)
  return fields === null ? null : readList(fields.channels).map(readChannel).filter(known)
}

function readChannel(json: unknown): Channel | null {
  const channel: { readonly [Field in keyof AlertChannelJson]?: unknown } | null = readFields(json)
  const id = readText(channel?.id)
  const kind = readOneOf(channel?.kind, kinds)
  if (channel === null || id === null || kind === null) return null
  return {
    id,
    kind,
    name: readText(channel.name) ?? kind,
    isEnabled: channel.enabled === true,
    target: readText(channel.target, LONGEST) ?? '',
    lastSentAt: readTime(channel.last_sent_at),
    trouble: readText(channel.disabled_reason, LONGEST) ?? readText(channel.last_error, LONGEST),
    isFixed: channel.source === 'environment',
  }
}
