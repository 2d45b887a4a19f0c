import { type AlertRule, type AlertRuleUpdateJson, type AlertSeverity, quietHours } from '@mobilepool/sdk/contract'
import type { Refusal } from '../errors.ts'
import type { AlertSettingsStore, DeliveryStore } from '../store/index.ts'
import { heldUntil, type QuietHours } from './quiet-hours.ts'
import { type RuleSettings, type Rules, readRuleUpdate, withChanges } from './rule-settings.ts'

const QUIET_KEY = 'quiet_hours'

export interface RuleBookParts {
  store: AlertSettingsStore
  deliveries: Pick<DeliveryStore, 'release'>
}

/** The rules and the quiet hours as they stand. */
export class RuleBook {
  readonly #parts: RuleBookParts
  #changed: Map<string, unknown>
  #rules: Rules
  #quiet: QuietHours | null

  private constructor(parts: RuleBookParts, changed: Map<string, unknown>) {
    this.#parts = parts
    this.#changed = changed
    this.#rules = withChanges(changed)
    this.#quiet = quietHours.nullable().catch(null).parse(changed.get(QUIET_KEY))
  }

  /** The defaults with what admins changed of them. @throws HubError `database_down` */
  static async load(parts: RuleBookParts): Promise<RuleBook> {
    return new RuleBook(parts, await parts.store.all())
  }

  get quietHours(): QuietHours | null {
    return this.#quiet
  }

  of(rule: AlertRule): RuleSettings {
    return this.#rules[rule]
  }

  /** Until when a notice must wait, ms; null: it may go now. */
  heldUntil({ rule, severity }: { rule: AlertRule; severity: AlertSeverity }, now: number): number | null {
    return heldUntil(severity, this.#rules[rule], this.#quiet, now)
  }

  /** Writes changes, then takes them over; notices that quiet hours hold are due again. @throws HubError `database_down` */
  async change({ rules, quiet_hours: quiet }: AlertRuleUpdateJson, now: number): Promise<Refusal | null> {
    const changes = readRuleUpdate(rules)
    if (!(changes instanceof Map)) return changes
    const values = new Map<string, unknown>()
    for (const [rule, change] of changes) values.set(rule, { ...(this.#changed.get(rule) as object | undefined), ...change })
    if (quiet !== undefined) values.set(QUIET_KEY, quiet)
    await this.#parts.store.put(values)
    this.#changed = new Map([...this.#changed, ...values])
    this.#rules = withChanges(this.#changed)
    if (quiet !== undefined) this.#quiet = quiet
    await this.#parts.deliveries.release(now)
    return null
  }
}
