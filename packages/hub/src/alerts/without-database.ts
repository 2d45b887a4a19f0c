import { type AlertRecord, type Attempt, isDatabaseDown, type Store, type Telling } from '../store/index.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { RuleBook } from './rule-book.ts'

/** An outage is told in three attempts a channel, this far apart; the outbox takes over when the database is back. */
const ATTEMPTS = 3
const RETRY_MS = 60_000

export interface WithoutDatabaseParts {
  store: { alerts: Pick<Store['alerts'], 'open'>; alertDeliveries: Pick<Store['alertDeliveries'], 'record'> }
  dispatcher: Pick<Dispatcher, 'sendDirectly'>
  rules: Pick<RuleBook, 'heldUntil'>
  now: () => number
}

interface Untold {
  telling: Telling
  /** How each channel's latest attempt went; null: it is under way. */
  attempts: Map<string, { latest: Attempt | null; count: number; at: number }>
}

/** Tells of the database's own outage without it, and writes down afterwards what was told. */
export class WithoutDatabase {
  readonly #parts: WithoutDatabaseParts
  /** One outage at a time. */
  #untold: Untold | null = null

  constructor(parts: WithoutDatabaseParts) {
    this.#parts = parts
  }

  /** Takes an alert that could not be written. */
  tell(telling: Telling): void {
    this.#untold ??= { telling, attempts: new Map() }
    this.tick()
  }

  /** Tries again where it did not go through. */
  tick(): void {
    const untold = this.#untold
    const { rules, now, dispatcher } = this.#parts
    if (!untold || rules.heldUntil(untold.telling.message.alert, now()) !== null) return
    for (const channelId of untold.telling.channelIds) {
      const tried = untold.attempts.get(channelId)
      const isOver = tried && (tried.latest?.state !== 'failed' || tried.count >= ATTEMPTS || now() - tried.at < RETRY_MS)
      if (isOver) continue
      const attempt = { latest: null as Attempt | null, count: (tried?.count ?? 0) + 1, at: now() }
      untold.attempts.set(channelId, attempt)
      void dispatcher.sendDirectly(channelId, untold.telling.message).then((latest) => {
        attempt.latest = latest
      })
    }
  }

  /** Writes the alert, and to whom it was told; channels that do not know of it get it by the outbox. */
  async writeDown(): Promise<void> {
    const untold = this.#untold
    if (!untold) return
    const { store, now } = this.#parts
    const { message, channelIds } = untold.telling
    const attempts = [...untold.attempts.values()]
    if (attempts.some(({ latest }) => latest === null)) return
    const isTold = (id: string): boolean => untold.attempts.get(id)?.latest?.state === 'sent'
    let written: AlertRecord
    try {
      written = await store.alerts.open(message.alert, { message, channelIds: channelIds.filter((id) => !isTold(id)), at: now() })
    } catch (error) {
      if (isDatabaseDown(error)) return
      throw error
    }
    this.#untold = null
    // Another hub on this database had the same to say.
    if (written.id !== message.alert.id) return
    for (const [channelId, { latest, at }] of untold.attempts)
      if (latest?.state === 'sent') await store.alertDeliveries.record(message, channelId, latest, at)
  }
}
