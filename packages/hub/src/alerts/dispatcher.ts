import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import PQueue from 'p-queue'
import type { Logger } from 'pino'
import type { Dial } from '../outbound/dialer.ts'
import type { Send } from '../outbound/outbound.ts'
import {
  type AlertMessage,
  type Attempt,
  type ChannelRecord,
  type DeliveryStore,
  type DueDelivery,
  isDatabaseDown,
} from '../store/index.ts'
import { type ChannelList, isOpen } from './channel-list.ts'
import type { Notice, SendResult } from './channels/channel-kind.ts'
import { channelKinds } from './channels/channel-kinds.ts'

/** Notices of one message. */
const MAX_TOGETHER = 50
/** A hub that dies while it sends leaves the notice to the next one after this; longer than the longest attempt. */
const LEASE_MS = 60_000
/** Longer than every kind's own time-out: a far end that defeats those, too, does not stop its queue. */
const CUT_MS = 30_000
/** What begins within this much of each other goes out together. */
const COLLECT_MS = 300
/** Times between attempts: ten attempts in two hours and a half. */
const RETRY_MS = [10_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_200_000, 2_400_000, 3_600_000]
/** A far end that asks for more patience than this gets this. */
const MAX_RETRY_AFTER_MS = 3_600_000

export interface DispatcherParts {
  store: DeliveryStore
  channels: ChannelList
  send: Send
  dial: Dial
  /** Until when a message must wait because of quiet hours, ms; null: it may go. */
  heldUntil: (message: AlertMessage, now: number) => number | null
  log: Logger
  now: () => number
  random: () => number
}

/** Sends what the outbox holds: each channel by itself, one message at a time, so that a slow one delays no other. */
export class Dispatcher {
  readonly #parts: DispatcherParts
  readonly #queues = new Map<string, PQueue>()
  readonly #stop = new AbortController()
  /** What was sent, but could not be noted yet. */
  #unsettled: { ids: string[]; attempt: Attempt; at: number }[] = []
  #polling: Promise<void> | null = null
  #collecting: NodeJS.Timeout | null = null

  constructor(parts: DispatcherParts) {
    this.#parts = parts
  }

  /** Something new may be in the outbox. */
  wake(): void {
    if (this.#stop.signal.aborted) return
    this.#collecting ??= setTimeout(() => {
      this.#collecting = null
      this.poll()
    }, COLLECT_MS)
  }

  /** Looks what is due; now and then, for what waits for its next attempt. */
  poll(): void {
    if (this.#stop.signal.aborted) return
    this.#polling ??= this.#poll().finally(() => {
      this.#polling = null
    })
  }

  /** Sends one message past the outbox, because the database is away. Says how it went. */
  async sendDirectly(channelId: string, message: AlertMessage): Promise<Attempt> {
    const channel = this.#parts.channels.find(channelId)
    if (!channel || !isOpen(channel)) return { state: 'failed', nextAttemptAt: this.#parts.now(), answer: 'the channel is off' }
    const result = await this.#queue(channel).add(() => this.#attempt(channel, [{ ...message, id: randomUUID() }]))
    this.#noteChannel(channel, result)
    return { state: result.outcome === 'sent' ? 'sent' : 'failed', nextAttemptAt: this.#parts.now(), answer: result.answer }
  }

  /** Sends to a channel whatever its state, and waits for what the far end says. */
  async test(channel: ChannelRecord, message: AlertMessage): Promise<SendResult> {
    const result = await this.#attempt(channel, [{ ...message, id: randomUUID() }])
    if (result.outcome === 'sent') this.#noteChannel(channel, result)
    else this.#parts.channels.note(channel.id, { lastError: result.answer })
    return result
  }

  /** Ends the attempts under way, which count as not made. */
  async close(): Promise<void> {
    this.#stop.abort()
    if (this.#collecting) clearTimeout(this.#collecting)
    for (const queue of this.#queues.values()) queue.clear()
    await Promise.all([this.#polling, ...[...this.#queues.values()].map((queue) => queue.onIdle())])
  }

  async #poll(): Promise<void> {
    const { store, channels, now, log } = this.#parts
    try {
      await this.#settleLeft()
      for (const id of await store.dueChannels(now())) {
        const channel = channels.find(id)
        // Another hub has just made it: it is known here soon.
        if (!channel) continue
        if (!isOpen(channel)) await store.drop(id)
        else if (this.#queue(channel).size === 0)
          void this.#queue(channel)
            .add(() => this.#sendDue(id))
            .catch((error: unknown) => this.#report(error))
      }
    } catch (error) {
      if (!isDatabaseDown(error)) log.error({ err: error }, 'The outbox of alerts could not be read.')
    }
  }

  /** One message to a channel, of everything that is due there. */
  async #sendDue(id: string): Promise<void> {
    const { store, channels, now, heldUntil } = this.#parts
    const channel = channels.find(id)
    if (!channel || this.#stop.signal.aborted) return
    await this.#settleLeft()
    const due = await store.claim(id, now(), LEASE_MS, MAX_TOGETHER)
    const free: DueDelivery[] = []
    for (const delivery of due) {
      const until = heldUntil(delivery.message, now())
      if (until === null) free.push(delivery)
      else await store.hold([delivery.id], until)
    }
    if (free.length === 0) return
    const result = await this.#attempt(
      channel,
      free.map((delivery) => ({ ...delivery.message, id: delivery.id })),
    )
    // A stop is no answer of the far end's: the next start sends it.
    if (this.#stop.signal.aborted && result.outcome === 'retry') return
    this.#noteChannel(channel, result)
    for (const { ids, attempt } of this.#attempts(free, result)) await this.#settle(ids, attempt)
    if (result.outcome === 'gone') await store.drop(id)
    // The queue stands still meanwhile; what comes becomes one message.
    await sleep(channelKinds[channel.kind].spacingMs, null, { signal: this.#stop.signal }).catch(() => {})
  }

  async #attempt(channel: ChannelRecord, notices: readonly Notice[]): Promise<SendResult> {
    const { send, dial, now, log } = this.#parts
    const cut = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(CUT_MS)])
    try {
      return await channelKinds[channel.kind].deliver(channel.address, notices, { send, dial, now, signal: cut })
    } catch (error) {
      log.error({ err: error, channel: channel.name }, 'A notice could not be sent.')
      return { outcome: 'retry', answer: 'the hub could not send it; its log says why' }
    }
  }

  /** The attempt as each notice counts it: those of one message may have been tried a different number of times. */
  #attempts(due: readonly DueDelivery[], result: SendResult): { ids: string[]; attempt: Attempt }[] {
    const at = this.#parts.now()
    return [...new Set(due.map(({ attempts }) => attempts))].map((count) => ({
      ids: due.filter(({ attempts }) => attempts === count).map(({ id }) => id),
      attempt: this.#attemptOf(count, result, at),
    }))
  }

  #attemptOf(count: number, result: SendResult, at: number): Attempt {
    const { answer } = result
    const pause = RETRY_MS[count]
    if (result.outcome !== 'retry' || pause === undefined)
      return { state: result.outcome === 'sent' ? 'sent' : 'failed', nextAttemptAt: at, answer }
    const asked = Math.min(result.afterMs ?? 0, MAX_RETRY_AFTER_MS)
    return { state: 'waiting', nextAttemptAt: at + Math.max(asked, pause * (0.9 + this.#parts.random() * 0.2)), answer }
  }

  #noteChannel({ id, name }: ChannelRecord, result: SendResult): void {
    const { channels, log, now } = this.#parts
    if (result.outcome === 'sent') {
      const moved = result.address === undefined ? {} : { address: result.address }
      channels.note(id, { lastSentAt: now(), lastError: null, disabledReason: null, ...moved })
      return
    }
    log.warn({ channel: name, answer: result.answer, outcome: result.outcome }, 'a notice was not taken')
    channels.note(id, { lastError: result.answer, ...(result.outcome === 'gone' ? { disabledReason: result.answer } : {}) })
  }

  async #settle(ids: string[], attempt: Attempt): Promise<void> {
    const at = this.#parts.now()
    try {
      await this.#parts.store.settle(ids, attempt, at)
    } catch (error) {
      // Forgotten, it would be sent once more.
      this.#unsettled.push({ ids, attempt, at })
      throw error
    }
  }

  async #settleLeft(): Promise<void> {
    while (this.#unsettled[0]) {
      const { ids, attempt, at } = this.#unsettled[0]
      await this.#parts.store.settle(ids, attempt, at)
      this.#unsettled = this.#unsettled.slice(1)
    }
  }

  #queue({ id }: ChannelRecord): PQueue {
    let queue = this.#queues.get(id)
    if (!queue) {
      queue = new PQueue({ concurrency: 1 })
      this.#queues.set(id, queue)
    }
    return queue
  }

  #report(error: unknown): void {
    if (!isDatabaseDown(error)) this.#parts.log.error({ err: error }, 'Notices could not be sent.')
  }
}
