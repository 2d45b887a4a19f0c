import { z } from 'zod'
import { alertRule, alertSeverity } from './alert.ts'

/** In quiet hours a notice of this rule is sent or held: as its severity says, always sent, always held. */
export const quietTreatment = z.enum(['by_severity', 'send', 'hold'])
export type QuietTreatment = z.infer<typeof quietTreatment>

/** What of a rule an admin sets. */
const adjustable = {
  enabled: z.boolean(),
  /** In the rule's `unit`; its bounds are the rule's own. */
  threshold: z.number(),
  /** Least number of attempts, exits or devices to judge by, where the rule counts any. */
  minimum: z.int().min(1).max(1_000_000),
  /** The stretch of time that is looked at, seconds, where the rule looks back. */
  window: z.int().min(10).max(86_400),
  severity: alertSeverity,
  quiet_hours: quietTreatment,
  /** Seconds between reminders while it fires and nobody has acknowledged it; 0: none. */
  reminder: z.union([z.literal(0), z.int().min(60).max(604_800)]),
}

/** A rule as it stands. */
export const alertRuleSettings = z.object({
  rule: alertRule,
  /** What the threshold is measured in, e.g. `seconds` or `percent`. */
  unit: z.string(),
  ...adjustable,
  minimum: adjustable.minimum.nullable(),
  window: adjustable.window.nullable(),
})
export type AlertRuleSettingsJson = z.infer<typeof alertRuleSettings>

const clockTime = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time of day like 22:30')

const timeZone = z
  .string()
  .max(100)
  .refine((name) => {
    try {
      new Intl.DateTimeFormat('en', { timeZone: name })
      return true
    } catch {
      return false
    }
  }, 'must be a time zone like Europe/Moscow, Asia/Seoul or UTC')

/** Hours of every day in which notices wait, but for those severe enough. From later than to: past midnight. */
export const quietHours = z
  .strictObject({
    from: clockTime,
    to: clockTime,
    time_zone: timeZone,
    /** Notices this severe or more are sent all the same; null: none. @default critical */
    pierced_by: alertSeverity.nullable().default('critical'),
  })
  .refine(({ from, to }) => from !== to, { path: ['to'], error: 'must differ from "from"' })
export type QuietHoursJson = z.infer<typeof quietHours>

/** `GET /api/v1/alerts/rules` */
export const alertRuleList = z.object({ rules: z.array(alertRuleSettings), quiet_hours: quietHours.nullable() })

/** Body of `PUT /api/v1/alerts/rules`: only what is given changes. */
export const alertRuleUpdate = z.strictObject({
  rules: z
    .array(z.strictObject({ rule: alertRule, ...z.object(adjustable).partial().shape }))
    .max(alertRule.options.length)
    .default([]),
  /** null: no quiet hours. */
  quiet_hours: quietHours.nullable().optional(),
})
export type AlertRuleUpdateJson = z.infer<typeof alertRuleUpdate>
