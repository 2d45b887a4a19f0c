import type { Finding } from '../episode.ts'
import type { RuleSettings } from '../rule-settings.ts'
import { moment } from '../wording.ts'
import type { Firing } from './subjects.ts'

const subject = { kind: 'hub', id: 'database', name: 'the database' } as const

/** How the database has answered lately. */
export class DatabaseHealth {
  readonly #ping: () => Promise<void>
  readonly #now: () => number
  #answeredAt: number
  #asking: Promise<void> | null = null
  #isAway = false

  constructor(ping: () => Promise<void>, now: () => number) {
    this.#ping = ping
    this.#now = now
    this.#answeredAt = now()
  }

  /** Asks, unless an answer is still awaited. */
  ask(): void {
    this.#asking ??= this.#ping()
      .then(() => {
        this.#answeredAt = this.#now()
        this.#isAway = false
      })
      .catch(() => {
        this.#isAway = true
      })
      .finally(() => {
        this.#asking = null
      })
  }

  /** Whether it has not answered for longer than the threshold, or does again. */
  findings(firing: Firing, { threshold, severity }: RuleSettings, now: number): Finding[] {
    const awayMs = now - this.#answeredAt
    const same = { rule: 'database_trouble', subject, severity } as const
    if (awayMs >= threshold * 1_000)
      return [
        {
          ...same,
          verdict: 'bad',
          title: 'The hub’s database does not answer',
          detail: `Not since ${moment(this.#answeredAt)}. Heartbeats are taken and kept in memory; nothing can be set, rotations stand still.`,
          value: Math.round(awayMs / 1_000),
          since: this.#answeredAt,
        },
      ]
    if (!firing.find(subject.id) || this.#isAway) return []
    return [{ ...same, verdict: 'good', title: 'The hub’s database answers again', detail: '' }]
  }
}
