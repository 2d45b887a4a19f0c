import { type AlertRule, type AlertRuleUpdateJson, type AlertSeverity, alertRule, type QuietTreatment } from '@mobilepool/sdk/contract'
import type { Refusal } from '../errors.ts'
import { vigilDefaults } from '../fleet/vigil.ts'

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
  /** How long all must be well before the alert is over, ms (reference/hub.md 1.5). */
  recoveryMs: number
}

const lasting = 120_000
const atOnce = 0

/** Each rule's nature. */
export const ruleNatures: Readonly<Record<AlertRule, RuleNature>> = {
  // When a silence or flapping is over, fleet/vigil.ts says.
  device_silent: { unit: 'seconds', bounds: [1, 86_400], recoveryMs: atOnce },
  success_rate: { unit: 'percent', bounds: [1, 100], recoveryMs: lasting },
  rotation_failed: { unit: 'rotations in a row', bounds: [1, 100], recoveryMs: atOnce },
  limits_exceeded: { unit: 'refusals', bounds: [1, 1_000_000], recoveryMs: atOnce },
  same_ip: { unit: 'rotations in a row', bounds: [2, 100], recoveryMs: atOnce },
  ban_storm: { unit: 'percent of the exits', bounds: [1, 100], recoveryMs: lasting },
  egress_leak: { unit: 'reports in a row', bounds: [1, 10], recoveryMs: atOnce },
  data_cap: { unit: 'percent', bounds: [1, 100], recoveryMs: atOnce },
  low_battery: { unit: 'percent', bounds: [1, 99], recoveryMs: lasting },
  database_trouble: { unit: 'seconds', bounds: [5, 3_600], recoveryMs: lasting },
  flapping: { unit: 'changes', bounds: [2, 1_000], recoveryMs: atOnce },
  ip_changed: { unit: 'changes', bounds: [1, 1], recoveryMs: atOnce },
}

const told = { enabled: true, minimum: null, window: null, severity: 'warning', quietHours: 'by_severity', reminder: 0 } as const

/**
 * The rules as they stand until somebody changes them. 5 min and 85 % are the specification's; groups of five devices, 60 s and six
 * changes an hour are those of reference/hub.md 1.5. `ip_changed` is the Korean specification's notice: on a rotating fleet only noise.
 */
const defaultRules: Readonly<Record<AlertRule, RuleSettings>> = {
  device_silent: { ...told, threshold: vigilDefaults.silentAfterMs / 1_000, minimum: 5, window: 60, severity: 'critical' },
  success_rate: { ...told, threshold: 85, minimum: 20, window: 300 },
  rotation_failed: { ...told, threshold: 1 },
  limits_exceeded: { ...told, threshold: 1, window: 600 },
  same_ip: { ...told, threshold: 3 },
  ban_storm: { ...told, threshold: 50, minimum: 3, window: 600, severity: 'critical' },
  egress_leak: { ...told, threshold: 1, severity: 'critical' },
  data_cap: { ...told, threshold: 80 },
  low_battery: { ...told, threshold: 20 },
  database_trouble: { ...told, threshold: 60, severity: 'critical' },
  flapping: { ...told, threshold: vigilDefaults.flaps, window: vigilDefaults.flapWindowMs / 1_000 },
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

/**
 * The defaults with what was changed of them; what a later version no longer knows is passed over.
 * `silentAfterMs`: of a device, until somebody changes that rule.
 */
export function withChanges(changed: ReadonlyMap<string, unknown>, silentAfterMs: number): Rules {
  const rules = { ...defaultRules, device_silent: { ...defaultRules.device_silent, threshold: silentAfterMs / 1_000 } }
  for (const rule of alertRule.options) {
    const change = changed.get(rule)
    if (typeof change === 'object' && change !== null) rules[rule] = { ...rules[rule], ...change }
  }
  return rules
}

const RANKS: Record<AlertSeverity, number> = { info: 0, warning: 1, critical: 2 }

/** Whether a severity is at least another. */
export const isAtLeast = (severity: AlertSeverity, other: AlertSeverity): boolean => RANKS[severity] >= RANKS[other]
