import type { Finding } from '../episode.ts'
import type { RuleSettings } from '../rule-settings.ts'
import { moment } from '../wording.ts'

/** Changes told at once; a fleet that rotates as one is told by its first hundred. */
const MAX_CHANGES = 100

/** A device was heard from another address. */
export interface IpChange {
  id: string
  name: string
  oldIp: string | null
  newIp: string
  at: number
}

/** Collects changes of addresses between two looks. */
export class IpChanges {
  #changes: IpChange[] = []

  /** An address changed. A device's first one is no change. */
  see(change: IpChange): void {
    if (change.oldIp !== null && this.#changes.length < MAX_CHANGES) this.#changes.push(change)
  }

  /** What came since the last look. */
  take({ severity, enabled }: Pick<RuleSettings, 'severity' | 'enabled'>): Finding[] {
    const changes = this.#changes
    this.#changes = []
    if (!enabled) return []
    return changes.map(({ id, name, oldIp, newIp, at }) => ({
      rule: 'ip_changed',
      subject: { kind: 'device', id, name },
      verdict: 'bad',
      severity,
      title: `${name} is at ${newIp} now`,
      detail: `It was at ${oldIp} until ${moment(at)}.`,
      since: at,
    }))
  }
}
