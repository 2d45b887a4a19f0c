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
  /** The latest sign of life, ms, where recoveries count them. */
  beatAt?: number
}

/** A firing alert, and how far its recovery is. */
export interface Episode {
  alert: AlertRecord
  recovery: { since: number; beats: number; lastBeat: number | null } | null
}

/** What a finding does: nothing, begin an alert, raise it, change its facts, or end it. */
export type Step =
  | { type: 'none' | 'open' | 'worse' | 'change'; episode: Episode }
  | { type: 'over'; alert: AlertRecord }
  | { type: 'idle' }

/**
 * The life of an alert, pure: one finding at a time. A recovery must last before it counts, so that a device that wakes for a
 * moment every ten minutes is one alert, not seven.
 */
export function judge(episode: Episode | null, finding: Finding, now: number, newId: () => string): Step {
  if (!episode) return finding.verdict === 'bad' ? { type: 'open', episode: begin(finding, now, newId()) } : { type: 'idle' }
  if (finding.verdict === 'bad') return goOn(episode, finding)
  if (finding.verdict === 'over') return { type: 'over', alert: { ...episode.alert, resolvedAt: now } }
  const recovery = advance(episode, finding, now)
  const needed = ruleNatures[finding.rule].recovery
  const isLasting = now - recovery.since >= needed.ms && recovery.beats >= needed.beats
  if (isLasting) return { type: 'over', alert: { ...episode.alert, resolvedAt: Math.max(recovery.since, episode.alert.startedAt) } }
  return { type: 'none', episode: { ...episode, recovery } }
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
  recovery: null,
})

function goOn({ alert }: Episode, finding: Finding): Step {
  const { severity, title, detail } = finding
  const value = finding.value ?? null
  const members = finding.members ?? alert.members
  if (!isAtLeast(alert.severity, severity))
    return { type: 'worse', episode: { alert: { ...alert, severity, title, detail, value, members }, recovery: null } }
  if (members.length !== alert.members.length || members.some(({ id }, index) => alert.members[index]?.id !== id))
    return { type: 'change', episode: { alert: { ...alert, title, detail, value, members }, recovery: null } }
  return { type: 'none', episode: { alert, recovery: null } }
}

function advance({ recovery }: Episode, { since, beatAt }: Finding, now: number): NonNullable<Episode['recovery']> {
  const lastBeat = beatAt ?? null
  if (!recovery) return { since: Math.min(since ?? now, now), beats: lastBeat === null ? 0 : 1, lastBeat }
  const isNewBeat = lastBeat !== null && lastBeat !== recovery.lastBeat
  return { ...recovery, beats: recovery.beats + (isNewBeat ? 1 : 0), lastBeat }
}
