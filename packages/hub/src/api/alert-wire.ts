import type { AlertChannelJson, AlertDeliveryJson, AlertRule, AlertRuleSettingsJson } from '@mobilepool/sdk/contract'
import { type RuleSettings, ruleNatures } from '../alerts/rule-settings.ts'
import { HubError } from '../errors.ts'
import type { AlertCursor, AlertRecord, ChannelRecord, DeliveryRecord } from '../store/index.ts'
import { stamp, stampOrNull } from './stamp.ts'

export const deliveryJson = (delivery: DeliveryRecord): AlertDeliveryJson => ({
  id: delivery.id,
  channel_id: delivery.channelId,
  channel: delivery.channelName,
  notice: delivery.notice,
  state: delivery.state,
  attempts: delivery.attempts,
  created_at: stamp(delivery.createdAt),
  next_attempt_at: delivery.state === 'waiting' ? stamp(delivery.nextAttemptAt) : null,
  held: delivery.held,
  sent_at: stampOrNull(delivery.sentAt),
  answer: delivery.answer,
})

export const ruleJson = (rule: AlertRule, { quietHours, ...settings }: RuleSettings): AlertRuleSettingsJson => ({
  rule,
  unit: ruleNatures[rule].unit,
  ...settings,
  quiet_hours: quietHours,
})

/** A channel without its address. */
export const channelJson = (channel: ChannelRecord): AlertChannelJson => ({
  id: channel.id,
  kind: channel.kind,
  name: channel.name,
  enabled: channel.enabled,
  min_severity: channel.minSeverity,
  rules: channel.rules,
  source: channel.source,
  target: channel.target,
  disabled_reason: channel.disabledReason,
  last_sent_at: stampOrNull(channel.lastSentAt),
  last_error: channel.lastError,
  created_at: stamp(channel.createdAt),
  updated_at: stamp(channel.updatedAt),
})

/** Where the page after this alert begins. */
export const cursorOf = ({ startedAt, id }: AlertRecord): string => `${startedAt}-${id}`

/** @throws HubError `bad_request` */
export function readCursor(text: string): AlertCursor {
  const [, startedAt, id] = /^(\d{1,15})-([0-9a-f-]{36})$/.exec(text) ?? []
  if (startedAt === undefined || id === undefined)
    throw new HubError('bad_request', 'after must be what "next" of the page before said.', {
      errors: [{ field: 'after', message: 'must be what "next" of the page before said' }],
    })
  return { startedAt: Number(startedAt), id }
}
