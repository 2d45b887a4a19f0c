import type { AlertNotice, AlertRule, AlertRuleUpdateJson } from '@mobilepool/sdk/contract'
import type { Logger } from 'pino'
import type { Refusal } from '../errors.ts'
import type { FleetEvents } from '../fleet/events.ts'
import { type AlertMessage, type AlertRecord, isDatabaseDown, type Store, type Telling } from '../store/index.ts'
import type { ChannelList } from './channel-list.ts'
import type { Dispatcher } from './dispatcher.ts'
import { type Episode, type Finding, judge } from './episode.ts'
import type { RuleBook } from './rule-book.ts'
import type { WithoutDatabase } from './without-database.ts'
import { inWords, moment } from './wording.ts'

export interface AlertParts {
  store: Pick<Store, 'alerts'>
  rules: RuleBook
  channels: ChannelList
  dispatcher: Pick<Dispatcher, 'wake' | 'poll'>
  /** Tells of an alert that cannot be written. */
  withoutDatabase: WithoutDatabase
  events: FleetEvents
  log: Logger
  now: () => number
  newId: () => string
}

/** The alerts that fire, in memory and in the database: takes findings, begins, raises and ends alerts, and has them told. */
export class Alerts {
  readonly #parts: AlertParts
  readonly #episodes = new Map<string, Episode>()
  #turn: Promise<unknown> = Promise.resolve()
  #isBusy = false

  private constructor(parts: AlertParts) {
    this.#parts = parts
  }

  /** Takes up those that fire, told as they are. @throws HubError `database_down` */
  static async load(parts: AlertParts): Promise<Alerts> {
    const alerts = new Alerts(parts)
    for (const alert of await parts.store.alerts.firing()) alerts.#episodes.set(keyOf(alert), { alert, wellSince: null })
    return alerts
  }

  /** The firing ones of a rule. */
  firing(rule: AlertRule): AlertRecord[] {
    return [...this.#episodes.values()].filter(({ alert }) => alert.rule === rule).map(({ alert }) => alert)
  }

  /** The firing one about a thing. */
  find(rule: AlertRule, subjectId: string): AlertRecord | null {
    return this.#episodes.get(`${rule} ${subjectId}`)?.alert ?? null
  }

  /** What was found is still being written: the next findings would say the same. */
  get isBusy(): boolean {
    return this.#isBusy
  }

  /** Takes what the rules found, in order; resolves when all of it is written, or could not be. */
  take(findings: readonly Finding[]): Promise<void> {
    return this.#inTurn(async () => {
      this.#isBusy = true
      try {
        await this.#parts.withoutDatabase.writeDown()
        for (const finding of findings) await this.#takeOne(finding)
        await this.#remind()
        await this.#endDisabled()
      } catch (error) {
        // What could not be written is found again by the next look.
        if (!isDatabaseDown(error)) this.#parts.log.error({ err: error }, 'Alerts could not be judged.')
      } finally {
        this.#isBusy = false
      }
    })
  }

  /** Notes who looks after an alert: no more reminders. Null: there is none of that id. @throws HubError `database_down` */
  acknowledge(id: string, by: string, comment: string | null): Promise<AlertRecord | null> {
    return this.#inTurn(async () => {
      const alert = await this.#parts.store.alerts.acknowledge(id, { by, at: this.#parts.now(), comment })
      if (!alert) return null
      const episode = this.#episodes.get(keyOf(alert))
      if (episode?.alert.id === id)
        this.#episodes.set(keyOf(alert), { ...episode, alert: { ...episode.alert, acknowledged: alert.acknowledged } })
      this.#tell(alert)
      return alert
    })
  }

  /** Changes rules or quiet hours; what waits because of those is looked at again. @throws HubError `database_down` */
  async changeRules(update: AlertRuleUpdateJson): Promise<Refusal | null> {
    const refusal = await this.#parts.rules.change(update, this.#parts.now())
    if (refusal) return refusal
    this.#parts.dispatcher.wake()
    return null
  }

  /** Waits for what is being written. */
  async close(): Promise<void> {
    await this.#turn
  }

  async #takeOne(finding: Finding): Promise<void> {
    const { rules, now, newId } = this.#parts
    if (!rules.of(finding.rule).enabled) return
    const key = keyOf(finding)
    const step = judge(this.#episodes.get(key) ?? null, finding, now(), newId)
    switch (step.type) {
      case 'idle':
        return
      case 'none':
        this.#episodes.set(key, step.episode)
        return
      case 'open':
        return this.#open(step.episode)
      case 'worse':
        await this.#parts.store.alerts.change(step.episode.alert, this.#telling('worse', step.episode.alert))
        break
      case 'change':
        await this.#parts.store.alerts.change(step.episode.alert, null)
        break
      case 'over':
        return this.#end(step.alert, finding)
    }
    this.#episodes.set(key, step.episode)
    this.#tell(step.episode.alert)
    this.#parts.dispatcher.wake()
  }

  async #open(episode: Episode): Promise<void> {
    // News that lasts no time: an address that changed.
    const isOver = episode.alert.rule === 'ip_changed'
    const alert = isOver ? { ...episode.alert, resolvedAt: episode.alert.startedAt } : episode.alert
    const telling = this.#telling('firing', alert)
    let written = alert
    try {
      written = await this.#parts.store.alerts.open(alert, telling)
    } catch (error) {
      // The one alert that cannot wait for the database is the one about it.
      if (!isDatabaseDown(error) || alert.rule !== 'database_trouble') throw error
      this.#parts.withoutDatabase.tell(telling)
    }
    if (!isOver) this.#episodes.set(keyOf(alert), { ...episode, alert: written })
    this.#tell(written)
    this.#parts.dispatcher.wake()
  }

  async #end(alert: AlertRecord, { title, detail }: Pick<Finding, 'title' | 'detail'>): Promise<void> {
    const { store, now, dispatcher } = this.#parts
    const ended = alert.resolvedAt ?? now()
    const lasted = `It lasted ${inWords(ended - alert.startedAt)}, from ${moment(alert.startedAt)} to ${moment(ended)}.`
    const message: AlertMessage = { notice: 'resolved', alert: { ...alert, title, detail: `${detail} ${lasted}`.trim() } }
    const isOurs = await store.alerts.resolve(alert, message, now())
    this.#episodes.delete(keyOf(alert))
    if (!isOurs) return
    this.#tell(alert)
    dispatcher.wake()
  }

  async #remind(): Promise<void> {
    const { rules, store, now, dispatcher } = this.#parts
    for (const [key, { alert, wellSince }] of this.#episodes) {
      const everyMs = rules.of(alert.rule).reminder * 1_000
      const last = alert.remindedAt ?? alert.startedAt
      if (everyMs === 0 || alert.acknowledged !== null || wellSince !== null || now() - last < everyMs) continue
      const reminded = { ...alert, remindedAt: now() }
      const words = { ...reminded, detail: `${alert.detail} It has lasted ${inWords(now() - alert.startedAt)}.` }
      await store.alerts.remind(reminded, alert.remindedAt, this.#telling('reminder', words))
      this.#episodes.set(key, { alert: reminded, wellSince })
      dispatcher.wake()
    }
  }

  /** A rule that was switched off has nothing to watch any more. */
  async #endDisabled(): Promise<void> {
    for (const { alert } of this.#episodes.values())
      if (!this.#parts.rules.of(alert.rule).enabled)
        await this.#end({ ...alert, resolvedAt: this.#parts.now() }, { title: alert.title, detail: 'The rule was switched off.' })
  }

  #telling(notice: AlertNotice, alert: AlertRecord): Telling {
    return { message: { notice, alert }, channelIds: this.#parts.channels.of(alert), at: this.#parts.now() }
  }

  #tell(alert: AlertRecord): void {
    const state = alert.resolvedAt === null ? 'firing' : 'resolved'
    this.#parts.log.info({ alert: alert.id, rule: alert.rule, subject: alert.subject.name, severity: alert.severity, state }, alert.title)
    this.#parts.events.announce({ type: 'alert', alert })
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work)
    this.#turn = turn.catch(() => {})
    return turn
  }
}

const keyOf = ({ rule, subject }: Pick<Finding, 'rule' | 'subject'>): string => `${rule} ${subject.id}`
