import type { Logger } from 'pino'
import { isDatabaseDown } from '../store/index.ts'
import type { ChannelList } from './channel-list.ts'
import type { RuleBook } from './rule-book.ts'

export interface NewsParts {
  rules: Pick<RuleBook, 'reload'>
  channels: Pick<ChannelList, 'reload'>
  log: Logger
}

/** Learns of rules, quiet hours and channels that another hub on this database has changed: some dozens of rows, read at each look. */
export class NewsOfOtherHubs {
  readonly #parts: NewsParts
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
    const { rules, channels } = this.#parts
    await rules.reload()
    await channels.reload()
  }
}
