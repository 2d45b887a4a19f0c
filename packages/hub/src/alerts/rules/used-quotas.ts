import type { AlertRecord } from '../../store/index.ts'
import type { Finding } from '../episode.ts'
import type { RuleSettings } from '../rule-settings.ts'
import type { Firing } from './subjects.ts'

/** Quotas that are used up at once and remembered. */
const MAX_SUBJECTS = 1_000

/** A user or a key whose requests of a period are used up. */
export interface UsedQuota {
  of: 'user' | 'key'
  id: string
  name: string
  used: number
  limit: number
}

/** Remembers whose requests are used up: bad from the event on until the next period begins, or an admin raises the limit. */
export class UsedQuotas {
  readonly #quotas = new Map<string, UsedQuota>()

  /** Somebody's requests are used up. */
  see(quota: UsedQuota): void {
    if (this.#quotas.has(quota.id) || this.#quotas.size < MAX_SUBJECTS) this.#quotas.set(quota.id, quota)
  }

  /** Quotas that are used up, and those that are free again. The rule's threshold counts refusals; this is none, and told at once. */
  findings(isUsedUp: (of: 'user' | 'key', id: string) => boolean, firing: Firing, { severity }: RuleSettings): Finding[] {
    const findings: Finding[] = []
    for (const [key, { of, id, name, used, limit }] of this.#quotas) {
      if (!isUsedUp(of, id)) {
        this.#quotas.delete(key)
        continue
      }
      findings.push({
        rule: 'limits_exceeded',
        subject: { kind: of, id, name: `${of} ${name}` },
        verdict: 'bad',
        severity,
        title: `${of} ${name}: all requests of the period are used`,
        detail: `${used} of ${limit} are used; further ones are refused until the next period begins, or somebody raises the limit.`,
        value: used,
      })
    }
    for (const { subject } of firing.all) {
      const of = quotaKind(subject)
      if (of === null || isUsedUp(of, subject.id)) continue
      const title = `${subject.name}: requests are free again`
      findings.push({ rule: 'limits_exceeded', subject, verdict: 'good', severity, title, detail: '' })
    }
    return findings
  }
}

/** Whose quota an alert is about; null: it is about another limit. */
export const quotaKind = ({ kind }: AlertRecord['subject']): 'user' | 'key' | null => (kind === 'user' || kind === 'key' ? kind : null)
