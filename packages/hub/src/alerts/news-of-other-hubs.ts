import type { Logger } from 'pino'
import { type AlertSettingsStore, isDatabaseDown } from '../store/index.ts'
import type { ChannelList } from './channel-list.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { RuleBook } from './rule-book.ts'

export interface NewsParts {
  store: Pick<AlertSettingsStore, 'version'>
  rules: Pick<RuleBook, 'reload'>
  channels: Pick<ChannelList, 'reload'>
  dispatcher: Pick<Dispatcher, 'wake'>
  log: Logger
}

/** Learns of rules, quiet hours and channels that another hub on this database has changed. */
export class NewsOfOtherHubs {
  readonly #parts: NewsParts
  #known: string | null = null
  #asking: Promise<void> | null = null

  constructor(parts: NewsParts) {
    this.#parts = parts
  }

  /** Asks, unless an answer is still awaited. */
  tick(): void {
    this.#asking ??= this.#ask()
      .catch((error: unknown) => {
        if (!isDatabaseDown(error)) this.#parts.log.error({ err: error }, 'What other hubs changed of alerts could not be read.')
      })
      .finally(() => {
        this.#asking = null
      })
  }

  /** Waits for what is being read. */
  async close(): Promise<void> {
    await this.#asking
  }

  async #ask(): Promise<void> {
    const { store, rules, channels, dispatcher } = this.#parts
    const version = await store.version()
    if (version === this.#known) return
    await rules.reload()
    await channels.reload()
    this.#known = version
    dispatcher.wake()
  }
}
