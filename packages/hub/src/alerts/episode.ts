import type { AlertRule, AlertSeverity } from '@mobilepool/sdk/contract'
import type { AlertRecord } from '../store/index.ts'
import { isAtLeast, ruleNatures } from './rule-settings.ts'

/** What a rule says of a thing at a moment. Where it says nothing, everything stays as it is. */
export interface Finding {
  rule: AlertRule
  subject: AlertRecord['subject']
  /** `bad`: the threshold is passed. `good`: all is well. `over`: there is nothing to watch any more (removed, in maintenance). */
  verdict: 'bad' | 'good' | 'over'
  severity: AlertSeverity
  /** One line, and a few more words; of a good one they make the recovery's text. */
  title: string
  detail: string
  value?: number | null
  members?: AlertRecord['members']
  /** When it became so, ms, where it was not just now. */
  since?: number
}

/** A firing alert, and its recovery. */
export interface Episode {
  alert: AlertRecord
  /** Since when all is well, ms; null: it is not. */
  wellSince: number | null
}

/** What a finding does: nothing, begin an alert, raise it, change its facts, or end it. */
export type Step =
  | { type: 'none' | 'open' | 'worse' | 'change'; episode: Episode }
  | { type: 'over'; alert: AlertRecord }
  | { type: 'idle' }

/**
 * The life of an alert, pure: one finding at a time. A recovery must last before it counts, so that what is well for a moment every
 * ten minutes is one alert, not seven.
 */
export function judge(episode: Episode | null, finding: Finding, now: number, newId: () => string): Step {
  if (!episode) return finding.verdict === 'bad' ? { type: 'open', episode: begin(finding, now, newId()) } : { type: 'idle' }
  if (finding.verdict === 'bad') return goOn(episode, finding)
  if (finding.verdict === 'over') return { type: 'over', alert: { ...episode.alert, resolvedAt: now } }
  const { alert } = episode
  const wellSince = episode.wellSince ?? Math.min(finding.since ?? now, now)
  const isLasting = now - wellSince >= ruleNatures[finding.rule].recoveryMs
  if (isLasting) return { type: 'over', alert: { ...alert, resolvedAt: Math.max(wellSince, alert.startedAt) } }
  return { type: 'none', episode: { alert, wellSince } }
}

const begin = (finding: Finding, now: number, id: string): Episode => ({
  alert: {
    id,
    rule: finding.rule,
    subject: finding.subject,
    severity: finding.severity,
    title: finding.title,
    detail: finding.detail,
    value: finding.value ?? null,
    members: finding.members ?? [],
    startedAt: finding.since ?? now,
    resolvedAt: null,
    remindedAt: null,
    acknowledged: null,
  },
  wellSince: null,
})

function goOn({ alert }: Episode, finding: Finding): Step {
  const { severity, title, detail } = finding
  const value = finding.value ?? null
  const members = finding.members ?? alert.members
  if (!isAtLeast(alert.severity, severity))
    return { type: 'worse', episode: { alert: { ...alert, severity, title, detail, value, members }, wellSince: null } }
  if (members.length !== alert.members.length || members.some(({ id }, index) => alert.members[index]?.id !== id))
    return { type: 'change', episode: { alert: { ...alert, title, detail, value, members }, wellSince: null } }
  return { type: 'none', episode: { alert, wellSince: null } }
}
