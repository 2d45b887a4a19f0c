import type { AlertRecord } from '../../store/index.ts'
import type { Finding } from '../episode.ts'
import type { RuleSettings } from '../rule-settings.ts'
import { inWords } from '../wording.ts'
import type { Firing } from './subjects.ts'
import { quotaKind } from './used-quotas.ts'

/** Things that hit a limit, and hits of one of them, that are remembered at once. */
const MAX_SUBJECTS = 1_000
const MAX_HITS = 1_000

/** Something was refused because of a limit that an admin set. */
export interface RefusedLimit {
  /** What hit it: the hub (MAX_DEVICES), a device. Quotas of users and keys are `used-quotas.ts`. */
  subject: AlertRecord['subject']
  /** Which limit, and what to do about it. */
  detail: string
  at: number
}

/** Remembers what was refused because of limits. */
export class RefusedLimits {
  readonly #subjects = new Map<string, { subject: AlertRecord['subject']; detail: string; hits: number[] }>()

  /** Something hit a limit. */
  see({ subject, detail, at }: RefusedLimit): void {
    const known = this.#subjects.get(subject.id)
    if (!known && this.#subjects.size >= MAX_SUBJECTS) return
    const hits = known?.hits ?? []
    hits.push(at)
    if (hits.length > MAX_HITS) hits.shift()
    this.#subjects.set(subject.id, { subject, detail, hits })
  }

  /** Limits that are hit, and those that were not for a whole window. */
  findings(firing: Firing, { threshold, window, severity }: RuleSettings, now: number): Finding[] {
    const findings: Finding[] = []
    const windowMs = (window ?? 0) * 1_000
    for (const [id, { subject, detail, hits }] of this.#subjects) {
      while (hits[0] !== undefined && hits[0] < now - windowMs) hits.shift()
      if (hits.length === 0) this.#subjects.delete(id)
      if (hits.length < Math.min(threshold, MAX_HITS)) continue
      const title = `${subject.name}: a limit is reached`
      const counted = `${hits.length === 1 ? 'Once' : `${hits.length} times`} within ${inWords(windowMs)}: ${detail}`
      findings.push({ rule: 'limits_exceeded', subject, verdict: 'bad', severity, title, detail: counted, value: hits.length })
    }
    for (const { subject } of firing.all) {
      if (this.#subjects.has(subject.id) || quotaKind(subject) !== null) continue
      const title = `${subject.name}: no limit was hit lately`
      findings.push({
        rule: 'limits_exceeded',
        subject,
        verdict: 'good',
        severity,
        title,
        detail: `Nothing was reported for ${inWords(windowMs)}.`,
      })
    }
    return findings
  }
}
