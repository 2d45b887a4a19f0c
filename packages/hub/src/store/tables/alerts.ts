import type {
  AlertChannelJson,
  AlertChannelKind,
  AlertDeliveryState,
  AlertNotice,
  AlertRule,
  AlertSeverity,
  AlertSubjectKind,
} from '@mobilepool/sdk/contract'
import type { ColumnType, Generated } from 'kysely'

/** Written as text, read as what it holds. */
type Json<T> = ColumnType<T, string, string>

/** The tables of alerts, as they stand after all migrations. */
export interface AlertTables {
  alerts: {
    id: string
    rule: AlertRule
    subject_kind: AlertSubjectKind
    subject: string
    subject_name: string
    severity: AlertSeverity
    title: string
    detail: string
    value: number | null
    /** Devices of a group. */
    members: Json<{ id: string; name: string }[]>
    started_at: Date
    resolved_at: Date | null
    reminded_at: Date | null
    acknowledged_at: Date | null
    acknowledged_by: string | null
    acknowledged_comment: string | null
  }
  alert_channels: {
    id: string
    kind: AlertChannelKind
    name: string
    source: AlertChannelJson['source']
    /** What it takes to reach the far end, as JSON, sealed. */
    address: string
    /** What of it may be shown. */
    target: string
    enabled: boolean
    min_severity: AlertSeverity
    /** null: all. */
    rules: AlertRule[] | null
    disabled_reason: string | null
    last_sent_at: Date | null
    last_error: string | null
    created_at: Date
    updated_at: Date
  }
  /** Both the outbox and the record of what was sent. */
  alert_deliveries: {
    id: Generated<string>
    alert_id: string
    channel_id: string
    notice: AlertNotice
    /** What is to be said, as it was when it was to be said. */
    message: Json<unknown>
    state: AlertDeliveryState
    attempts: Generated<number>
    /** It waits for the end of quiet hours. */
    held: Generated<boolean>
    created_at: Date
    next_attempt_at: Date
    /** Until then the hub that took it may be sending it. */
    claimed_until: Date | null
    sent_at: Date | null
    answer: string | null
  }
  /** What admins changed: a rule's name and its changed fields, `quiet_hours`. */
  alert_settings: {
    key: string
    value: Json<unknown>
    updated_at: Date
  }
}
