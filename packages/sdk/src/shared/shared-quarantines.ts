import { randomUUID } from 'node:crypto'
import { isIP } from 'node:net'
import type { Clock } from '../clock.ts'
import type { Quarantine, QuarantineNews } from '../core/quarantine.ts'
import type { RedisLink } from './redis-link.ts'
import { listBansScript, tellBanScript } from './scripts.ts'
import type { SharedKeys } from './shared-limits.ts'

export interface SharedQuarantinesParts {
  readonly link: Pick<RedisLink, 'run' | 'subscribe'>
  readonly keys: SharedKeys
  readonly quarantine: Quarantine
  readonly clock: Clock
  /** Something was learnt: who waits is to be looked at again. */
  readonly onLearnt: () => void
}

/** How often a subscription that could not be had is tried again, ms. */
const SUBSCRIBE_AGAIN_MS = 2_000

/**
 * Exchanges quarantines with the pools of other processes by Redis: every one that this pool sets, confirmed or not, and theirs. In the
 * background: no request waits for it, and while Redis is away each pool knows what it met itself.
 */
export class SharedQuarantines {
  readonly #parts: SharedQuarantinesParts
  /** By it the pool knows its own news when it hears of them. */
  readonly #reporter = randomUUID()
  readonly #unsubscribe: () => void
  #endSubscription: (() => void) | null = null
  #callOff: (() => void) | null = null
  #isClosed: boolean = false

  constructor(parts: SharedQuarantinesParts) {
    this.#parts = parts
    this.#unsubscribe = parts.quarantine.subscribe((news) => this.#tell(news))
  }

  start(): void {
    const { link, keys, clock } = this.#parts
    link
      .subscribe(
        keys.bans,
        (text) => this.#hear(text),
        () => void this.#catchUp(),
      )
      .then(
        (end) => {
          if (this.#isClosed) end()
          else this.#endSubscription = end
        },
        () => {
          if (!this.#isClosed) this.#callOff = clock.schedule(SUBSCRIBE_AGAIN_MS, () => this.start())
        },
      )
  }

  close(): void {
    this.#isClosed = true
    this.#callOff?.()
    this.#unsubscribe()
    this.#endSubscription?.()
  }

  #tell({ kind, exitIp, site, until }: QuarantineNews): void {
    const { link, keys, clock } = this.#parts
    const lastsMs = kind === 'lifted' ? 0 : Math.max(0, Math.ceil(until - clock.now()))
    // Who is not told finds out by himself.
    link.run(tellBanScript, [keys.bans], [keys.bans, `${exitIp} ${site}`, String(lastsMs), this.#reporter]).catch(() => {})
  }

  #hear(text: string): void {
    const [reporter, lastsMs, ...pair] = text.split(' ')
    if (reporter !== this.#reporter) this.#learn([[pair.join(' '), Number(lastsMs)]])
  }

  async #catchUp(): Promise<void> {
    const { link, keys } = this.#parts
    try {
      const found = (await link.run(listBansScript, [keys.bans], [])) as (string | number)[]
      const pairs: [string, number][] = []
      for (let index = 0; index < found.length; index += 2) pairs.push([String(found[index]), Number(found[index + 1])])
      this.#learn(pairs)
    } catch {
      // Redis is away again; the next connection catches up.
    }
  }

  #learn(pairs: readonly (readonly [pair: string, lastsMs: number])[]): void {
    if (this.#isClosed) return
    const { quarantine, clock, onLearnt } = this.#parts
    const now = clock.now()
    let isNew = false
    for (const [pair, lastsMs] of pairs) {
      const [exitIp = '', site = ''] = pair.split(' ')
      if (isIP(exitIp) === 0 || site === '' || !Number.isFinite(lastsMs)) continue
      const isNews =
        lastsMs > 0 ? quarantine.learn({ exitIp, site, until: now + lastsMs }, now) : quarantine.learnLifted({ exitIp, site }, now)
      if (isNews) isNew = true
    }
    if (isNew) onLearnt()
  }
}
