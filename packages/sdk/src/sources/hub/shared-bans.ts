import { randomUUID } from 'node:crypto'
import type { Clock } from '../../clock.ts'
import { BAN_LONGEST_MS, BAN_REPORT_MAX, type BanJson, type BanReportJson } from '../../contract/index.ts'
import type { Quarantine, QuarantinedPair, QuarantineNews } from '../../core/quarantine.ts'
import { type BackoffSettings, backoffMs } from './backoff.ts'
import { type HubClient, HubProblem } from './hub-client.ts'

export interface SharedBansParts {
  readonly client: Pick<HubClient, 'bans' | 'reportBans'>
  readonly quarantine: Quarantine
  readonly clock: Clock
  readonly random: () => number
  readonly backoff: BackoffSettings
  /** Something was learnt: who waits is to be looked at again. */
  readonly onLearnt: () => void
}

/** Bans that come close together go in one report. */
const GATHER_MS = 200
/** Pairs that wait while the hub is away; the oldest are forgotten first. */
const MAX_WAITING = 2_000
/** The hub has no such route (it is older), or will not take what we say. */
const HOPELESS_STATUSES: ReadonlySet<number> = new Set([400, 404, 405, 413, 415, 422])

/**
 * Exchanges bans with the other pools of the hub: tells those that this pool has confirmed (another exit IP got an answer where one
 * was banned), and learns theirs. In the background: no request waits for it, and a hub that is away costs nothing but the news.
 */
export class SharedBans {
  readonly #parts: SharedBansParts
  /** By it the pool knows its own reports when it hears of them. */
  readonly #reporter = randomUUID()
  readonly #waiting = new Map<string, QuarantinedPair>()
  readonly #stop = new AbortController()
  readonly #unsubscribe: () => void
  #callOff: (() => void) | null = null
  #sending: Promise<void> = Promise.resolve()
  #failures = 0

  constructor(parts: SharedBansParts) {
    this.#parts = parts
    this.#unsubscribe = parts.quarantine.subscribe((news) => this.#take(news))
  }

  /** Other pools' bans, as the hub's event tells them. */
  hear({ reporter, bans }: { readonly reporter: string; readonly bans: readonly BanJson[] }): void {
    if (reporter === this.#reporter) return
    const now = this.#parts.clock.now()
    // The event may be an old one, and the hub's clock another: whichever end comes first is safe.
    this.#learn(
      bans.map((ban) => ({ ...pairOf(ban), until: Math.min(Date.parse(ban.until), now + ban.lasts_ms), isLifted: ban.lasts_ms === 0 })),
    )
  }

  /** Learns all bans that last; to be called whenever events may have been missed. Never fails. */
  async catchUp(): Promise<void> {
    const { client, clock } = this.#parts
    try {
      const { bans } = await client.bans(this.#stop.signal)
      const now = clock.now()
      this.#learn(bans.map((ban) => ({ ...pairOf(ban), until: now + ban.lasts_ms, isLifted: false })))
    } catch {
      // A hub that is away, or older than this, has nothing to teach; its trouble is told by the stream of events.
    }
  }

  /** Tells nothing any more; what was not told is left to be found out by the others. */
  async close(): Promise<void> {
    this.#unsubscribe()
    this.#stop.abort()
    this.#callOff?.()
    await this.#sending
  }

  #learn(bans: readonly (QuarantinedPair & { readonly isLifted: boolean })[]): void {
    const { quarantine, clock, onLearnt } = this.#parts
    if (this.#stop.signal.aborted) return
    const now = clock.now()
    let isNew = false
    for (const ban of bans) if (ban.isLifted ? quarantine.learnLifted(ban, now) : quarantine.learn(ban, now)) isNew = true
    if (isNew) onLearnt()
  }

  #take({ kind, exitIp, site, until }: QuarantineNews): void {
    if (kind === 'set') return
    const key = `${exitIp} ${site}`
    this.#waiting.delete(key)
    this.#waiting.set(key, { exitIp, site, until })
    if (this.#waiting.size > MAX_WAITING) {
      const oldest = this.#waiting.keys().next()
      if (!oldest.done) this.#waiting.delete(oldest.value)
    }
    this.#schedule(GATHER_MS)
  }

  #schedule(delayMs: number): void {
    if (this.#stop.signal.aborted) return
    this.#callOff ??= this.#parts.clock.schedule(delayMs, () => {
      this.#sending = this.#send()
    })
  }

  async #send(): Promise<void> {
    const { client, clock, random, backoff } = this.#parts
    const batch = [...this.#waiting].slice(0, BAN_REPORT_MAX)
    for (const [key] of batch) this.#waiting.delete(key)
    let delayMs = GATHER_MS
    try {
      await client.reportBans(toReport(this.#reporter, batch, clock.now()), this.#stop.signal)
      this.#failures = 0
    } catch (error) {
      this.#failures++
      delayMs = backoffMs(this.#failures, random, backoff)
      const isHopeless = error instanceof HubProblem && HOPELESS_STATUSES.has(error.problem.status)
      // What is over by then is of no use; what was said anew meanwhile is the newer word.
      const stillLast = batch.filter(([key, { until }]) => until > clock.now() && !this.#waiting.has(key))
      if (!isHopeless) for (const [key, pair] of stillLast) this.#waiting.set(key, pair)
    }
    this.#callOff = null
    if (this.#waiting.size > 0) this.#schedule(delayMs)
  }
}

const pairOf = ({ exit_ip: exitIp, site }: BanJson) => ({ exitIp, site })

const toReport = (reporter: string, batch: readonly (readonly [string, QuarantinedPair])[], now: number): BanReportJson => ({
  reporter,
  bans: batch.map(([, { exitIp, site, until }]) => ({
    exit_ip: exitIp,
    site,
    lasts_ms: Math.min(BAN_LONGEST_MS, Math.max(0, Math.round(until - now))),
  })),
})
