import type { QuarantineRecord } from '../../store/index.ts'
import type { Finding } from '../episode.ts'
import type { RuleSettings } from '../rule-settings.ts'
import { inWords } from '../wording.ts'
import type { Firing } from './subjects.ts'

/** Sites, and addresses of one site, that are remembered at once. */
const MAX_SITES = 1_000
const MAX_ADDRESSES = 5_000

/** Remembers which exit IPs each site has banned lately. */
export class BanStorms {
  /** When each address was last banned, by site. */
  readonly #sites = new Map<string, Map<string, number>>()

  /** A pool reported bans, or that they are over. */
  see(records: readonly Pick<QuarantineRecord, 'site' | 'exitIp' | 'until'>[], now: number): void {
    for (const { site, exitIp, until } of records) {
      const known = this.#sites.get(site)
      if (until <= now) {
        known?.delete(exitIp)
        continue
      }
      if (!known && this.#sites.size >= MAX_SITES) continue
      const banned = known ?? new Map<string, number>()
      // Taken out first: the oldest stay in front.
      banned.delete(exitIp)
      if (banned.size < MAX_ADDRESSES) banned.set(exitIp, now)
      this.#sites.set(site, banned)
    }
  }

  /** Sites that have banned much of the fleet within the window, and those where that is over. `exits`: how many the fleet has. */
  findings(exits: number, firing: Firing, { threshold, minimum, window, severity }: RuleSettings, now: number): Finding[] {
    const findings: Finding[] = []
    const windowMs = (window ?? 0) * 1_000
    for (const [site, banned] of this.#sites) {
      for (const [exitIp, at] of banned) {
        if (at >= now - windowMs) break
        banned.delete(exitIp)
      }
      if (banned.size === 0) this.#sites.delete(site)
      // With each rotation the fleet has further addresses: more than all of them can be banned.
      const share = exits === 0 ? 100 : Math.min(100, Math.round((banned.size / exits) * 100))
      if (banned.size < (minimum ?? 1) || share < threshold) continue
      findings.push({
        rule: 'ban_storm',
        subject: { kind: 'site', id: site, name: site },
        verdict: 'bad',
        severity,
        title: `${site} bans the fleet`,
        detail: `It banned ${banned.size} exit IPs within ${inWords(windowMs)}, with ${exits} devices at work. Slow down there, or rotate less often.`,
        value: share,
      })
    }
    for (const { subject } of firing.all)
      if (!findings.some((finding) => finding.subject.id === subject.id)) {
        const title = `${subject.name} bans no longer`
        findings.push({ rule: 'ban_storm', subject, verdict: 'good', severity, title, detail: '' })
      }
    return findings
  }
}
