import { type AlertRule, type AlertRuleUpdateJson, type AlertSeverity, alertRule, type QuietTreatment } from '@mobilepool/sdk/contract'
import type { Refusal } from '../errors.ts'

/** How a rule judges and how it tells. Units of time here: seconds, as admins give them. */
export interface RuleSettings {
  enabled: boolean
  /** In the rule's unit. */
  threshold: number
  /** Least number to judge by; null where the rule counts nothing. */
  minimum: number | null
  /** The stretch of time that is looked at; null where the rule looks at the present. */
  window: number | null
  severity: AlertSeverity
  quietHours: QuietTreatment
  /** Between reminders; 0: none. */
  reminder: number
}

/** What of a rule nobody sets. */
export interface RuleNature {
  /** Of the threshold. */
  unit: string
  bounds: readonly [least: number, most: number]
  /** How long, ms, and for how many signs of life all must be well before the alert is over (reference/hub.md 1.4 and 1.5). */
  recovery: { ms: number; beats: number }
}

const TWO_MINUTES_MS = 120_000
const lasting = { ms: TWO_MINUTES_MS, beats: 0 }
const atOnce = { ms: 0, beats: 0 }

/** Each rule's nature. */
export const ruleNatures: Readonly<Record<AlertRule, RuleNature>> = {
  device_silent: { unit: 'seconds', bounds: [60, 86_400], recovery: { ms: TWO_MINUTES_MS, beats: 2 } },
  success_rate: { unit: 'percent', bounds: [1, 100], recovery: lasting },
  rotation_failed: { unit: 'rotations in a row', bounds: [1, 100], recovery: atOnce },
  limits_exceeded: { unit: 'refusals', bounds: [1, 1_000_000], recovery: atOnce },
  same_ip: { unit: 'rotations in a row', bounds: [2, 100], recovery: atOnce },
  ban_storm: { unit: 'percent of the exits', bounds: [1, 100], recovery: lasting },
  egress_leak: { unit: 'reports in a row', bounds: [1, 10], recovery: atOnce },
  data_cap: { unit: 'percent', bounds: [1, 100], recovery: atOnce },
  low_battery: { unit: 'percent', bounds: [1, 99], recovery: lasting },
  database_trouble: { unit: 'seconds', bounds: [5, 3_600], recovery: lasting },
  flapping: { unit: 'changes', bounds: [2, 1_000], recovery: atOnce },
  ip_changed: { unit: 'changes', bounds: [1, 1], recovery: atOnce },
}

const told = { enabled: true, minimum: null, window: null, severity: 'warning', quietHours: 'by_severity', reminder: 0 } as const

/**
 * The rules as they stand until somebody changes them. 5 min and 85 % are the specification's; groups of five devices, 60 s and six
 * changes an hour are those of reference/hub.md 1.5. `ip_changed` is the Korean specification's notice: on a rotating fleet only noise.
 */
const defaultRules: Readonly<Record<AlertRule, RuleSettings>> = {
  device_silent: { ...told, threshold: 300, minimum: 5, window: 60, severity: 'critical' },
  success_rate: { ...told, threshold: 85, minimum: 20, window: 300 },
  rotation_failed: { ...told, threshold: 1 },
  limits_exceeded: { ...told, threshold: 1, window: 600 },
  same_ip: { ...told, threshold: 3 },
  ban_storm: { ...told, threshold: 50, minimum: 3, window: 600, severity: 'critical' },
  egress_leak: { ...told, threshold: 1, severity: 'critical' },
  data_cap: { ...told, threshold: 80 },
  low_battery: { ...told, threshold: 20 },
  database_trouble: { ...told, threshold: 60, severity: 'critical' },
  flapping: { ...told, threshold: 6, window: 3_600 },
  ip_changed: { ...told, enabled: false, threshold: 1, severity: 'info' },
}

export type Rules = Readonly<Record<AlertRule, RuleSettings>>

/** The fields that an update gives, by rule; a refusal names the field that cannot be so. */
export function readRuleUpdate(update: AlertRuleUpdateJson['rules']): Map<AlertRule, Partial<RuleSettings>> | Refusal {
  const changes = new Map<AlertRule, Partial<RuleSettings>>()
  const errors: { field: string; message: string }[] = []
  for (const [index, { rule, quiet_hours: quietHours, ...given }] of update.entries()) {
    const { unit, bounds } = ruleNatures[rule]
    const wrong = (field: string, message: string) => errors.push({ field: `rules.${index}.${field}`, message })
    const { threshold } = given
    if (threshold !== undefined && (threshold < bounds[0] || threshold > bounds[1]))
      wrong('threshold', `must be ${bounds[0]} to ${bounds[1]} (${unit}) for ${rule}`)
    for (const field of ['minimum', 'window'] as const)
      if (given[field] !== undefined && defaultRules[rule][field] === null) wrong(field, `means nothing to ${rule}`)
    const known = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
    changes.set(rule, { ...changes.get(rule), ...known, ...(quietHours === undefined ? {} : { quietHours }) })
  }
  const detail = errors.map(({ field, message }) => `${field} ${message}`).join('; ')
  return errors.length > 0 ? { code: 'bad_request', detail, errors } : changes
}

/** The defaults with what was changed of them; what a later version no longer knows is passed over. */
export function withChanges(changed: ReadonlyMap<string, unknown>): Rules {
  const rules = { ...defaultRules }
  for (const rule of alertRule.options) {
    const change = changed.get(rule)
    if (typeof change === 'object' && change !== null) rules[rule] = { ...defaultRules[rule], ...change }
  }
  return rules
}

const RANKS: Record<AlertSeverity, number> = { info: 0, warning: 1, critical: 2 }

/** Whether a severity is at least another. */
export const isAtLeast = (severity: AlertSeverity, other: AlertSeverity): boolean => RANKS[severity] >= RANKS[other]
