import { type AlertRule, type AlertRuleUpdateJson, type AlertSeverity, quietHours } from '@mobilepool/sdk/contract'
import type { Refusal } from '../errors.ts'
import { type VigilSettings, vigilDefaults } from '../fleet/vigil.ts'
import type { AlertSettingsStore, DeliveryStore } from '../store/index.ts'
import { heldUntil, type QuietHours } from './quiet-hours.ts'
import { type RuleSettings, type Rules, readRuleUpdate, withChanges } from './rule-settings.ts'

const QUIET_KEY = 'quiet_hours'

export interface RuleBookParts {
  store: Pick<AlertSettingsStore, 'all' | 'put'>
  deliveries: Pick<DeliveryStore, 'release'>
  /** What `device_silent` waits for until somebody changes it, ms (DEVICE_SILENT_AFTER). */
  silentAfterMs: number
}

/** The rules and the quiet hours as they stand. */
export class RuleBook {
  readonly #parts: RuleBookParts
  #rules: Rules
  #quiet: QuietHours | null = null
  #vigil: VigilSettings
  /** Changes made by this hub. */
  #changes = 0

  private constructor(parts: RuleBookParts) {
    this.#parts = parts
    this.#rules = withChanges(new Map(), parts.silentAfterMs)
    this.#vigil = vigilOf(this.#rules)
  }

  /** The defaults with what admins changed of them. @throws HubError `database_down` */
  static async load(parts: RuleBookParts): Promise<RuleBook> {
    const book = new RuleBook(parts)
    await book.reload()
    return book
  }

  /** Takes over what other hubs changed. @throws HubError `database_down` */
  async reload(): Promise<void> {
    const before = this.#changes
    const changed = await this.#parts.store.all()
    // Something was changed here meanwhile: what was read may be older.
    if (this.#changes === before) this.#take(changed)
  }

  get quietHours(): QuietHours | null {
    return this.#quiet
  }

  /** When a device is silent for long, and when it flaps: what those two rules say. */
  get vigil(): VigilSettings {
    return this.#vigil
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
    // Read anew: another hub may have changed other settings of the same rule.
    const changed = await this.#parts.store.all()
    const values = new Map<string, unknown>()
    for (const [rule, change] of changes) values.set(rule, { ...(changed.get(rule) as object | undefined), ...change })
    if (quiet !== undefined) values.set(QUIET_KEY, quiet)
    await this.#parts.store.put(values)
    this.#changes += 1
    this.#take(new Map([...changed, ...values]))
    await this.#parts.deliveries.release(now)
    return null
  }

  #take(changed: ReadonlyMap<string, unknown>): void {
    this.#rules = withChanges(changed, this.#parts.silentAfterMs)
    this.#vigil = vigilOf(this.#rules)
    this.#quiet = quietHours
      .nullable()
      .catch(null)
      .parse(changed.get(QUIET_KEY) ?? null)
  }
}

/** Where nobody wants to hear of flapping, each long silence is told instead. */
const vigilOf = ({ device_silent: silent, flapping }: Rules): VigilSettings => ({
  ...vigilDefaults,
  silentAfterMs: silent.threshold * 1_000,
  flaps: flapping.enabled ? flapping.threshold : Number.POSITIVE_INFINITY,
  flapWindowMs: (flapping.window ?? 0) * 1_000,
})
