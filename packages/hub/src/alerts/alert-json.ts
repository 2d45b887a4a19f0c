import type { AlertJson } from '@mobilepool/sdk/contract'
import type { AlertRecord } from '../store/index.ts'

const MAX_MEMBERS = 100

const stamp = (time: number): string => new Date(time).toISOString()

/** An alert as the API and webhooks tell it. */
export const alertJson = (alert: AlertRecord): AlertJson => ({
  id: alert.id,
  rule: alert.rule,
  severity: alert.severity,
  state: alert.resolvedAt === null ? 'firing' : 'resolved',
  subject: alert.subject,
  title: alert.title,
  detail: alert.detail,
  value: alert.value,
  started_at: stamp(alert.startedAt),
  resolved_at: alert.resolvedAt === null ? null : stamp(alert.resolvedAt),
  duration_ms: alert.resolvedAt === null ? null : Math.max(0, Math.round(alert.resolvedAt - alert.startedAt)),
  acknowledged: alert.acknowledged && { ...alert.acknowledged, at: stamp(alert.acknowledged.at) },
  members: alert.members.slice(0, MAX_MEMBERS).map(({ name }) => name),
  members_total: alert.members.length,
})
