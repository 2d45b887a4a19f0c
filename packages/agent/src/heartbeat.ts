import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { AgentHeartbeatJson } from '@mobilepool/sdk/contract'
import type { Logger } from 'pino'
import type { Clock } from './clock.ts'
import { AgentError } from './errors.ts'

/**
 * When the next heartbeat is due: every `everyMs`, at an offset of the device's own, so that a thousand agents started together do not
 * beat together. The offset stays the same over restarts.
 */
export function nextBeatAt(now: number, name: string, everyMs: number): number {
  const offset = createHash('sha256').update(name).digest().readUInt32BE() % everyMs
  return Math.floor((now - offset) / everyMs + 1) * everyMs + offset
}

/** How heartbeats get to the hub. */
export interface HeartbeatWay {
  heartbeat(body: AgentHeartbeatJson, signal: AbortSignal): Promise<{ readonly remoteIp: string; readonly ipChanged: boolean }>
  /** What stands for a connection by which the hub knows anyway that the device is alive, another object for another one; null: there is none. */
  readonly standing: object | null
}

/** What the loop needs of the agent. */
export interface HeartbeatParts {
  readonly clock: Clock
  readonly log: Logger
  readonly hub: HeartbeatWay
  readonly name: string
  readonly everyMs: number
  /** While the device rotates there is nothing to send by: heartbeats are left out, and one that was cut is no failure. */
  isRotating(): boolean
  compose(): Promise<AgentHeartbeatJson>
  /** Called with the exit IP that the hub saw. */
  onSeen(exitIp: string): void
}

/** While a connection to the hub stands, a heartbeat without news is sent once in so many intervals. */
const QUIET_INTERVALS = 30
/** A beat so many intervals ago is still news of the device. */
const HEARD_INTERVALS = 3
/** What wavers is told once in so many intervals at most. */
const WAVERING_INTERVALS = 6
/** Smaller differences are no news. */
const NOISE = { signal: 10, battery: 5, temperature: 5 } as const

/** Whether a heartbeat says what the one before, so many intervals ago, did not. */
export function isNews(before: AgentHeartbeatJson, now: AgentHeartbeatJson, intervals: number): boolean {
  const { telemetry: was = {}, ...fixedWas } = before
  const { telemetry: is = {}, ...fixedIs } = now
  if (!isDeepStrictEqual(fixedWas, fixedIs) || was.sim !== is.sim) return true
  if (intervals < WAVERING_INTERVALS) return false
  const { signal: _1, battery: _2, temperature: _3, ...wordsWas } = was
  const { signal: _4, battery: _5, temperature: _6, ...wordsIs } = is
  const wavers = (field: keyof typeof NOISE): boolean =>
    Math.abs((was[field] ?? -NOISE[field]) - (is[field] ?? -NOISE[field])) >= NOISE[field]
  return !isDeepStrictEqual(wordsWas, wordsIs) || wavers('signal') || wavers('battery') || wavers('temperature')
}

/** How the last heartbeat went. */
export interface BeatOutcome {
  readonly at: number
  /** The exit IP that the hub saw; null: it was not reached. */
  readonly exitIp: string | null
  /** Why it failed; null: it did not. */
  readonly failure: string | null
}

/** Sends heartbeats, the first one at once. */
export class Heartbeat {
  readonly #parts: HeartbeatParts
  #isFailing: boolean = false
  /** What the hub was told by the connection that stands. */
  #told: { readonly by: object | null; readonly beat: AgentHeartbeatJson; readonly at: number } | null = null
  #last: BeatOutcome | null = null
  #said: AgentHeartbeatJson | null = null
  #hurry = new AbortController()

  constructor(parts: HeartbeatParts) {
    this.#parts = parts
  }

  /** The last one that was sent; null before the first. */
  get last(): BeatOutcome | null {
    return this.#last
  }

  /** Whether the hub has heard the device lately. */
  get isHeard(): boolean {
    const { clock, everyMs } = this.#parts
    return this.#last?.failure === null && clock.now() - this.#last.at < HEARD_INTERVALS * everyMs
  }

  /** What the device said of itself last. */
  get said(): AgentHeartbeatJson | null {
    return this.#said
  }

  /** Sends one now instead of later: after a rotation the hub shall know the new address. */
  beatNow(): void {
    this.#hurry.abort()
  }

  /** Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, name, everyMs } = this.#parts
    while (!signal.aborted) {
      this.#hurry = new AbortController()
      await this.#beat(signal)
      const pauseMs = nextBeatAt(clock.now(), name, everyMs) - clock.now()
      await clock.sleep(pauseMs, AbortSignal.any([signal, this.#hurry.signal])).catch(() => {})
      // Lets go of the combined signal; Node 20 would keep it for as long as the agent runs.
      this.#hurry.abort()
    }
  }

  async #beat(signal: AbortSignal): Promise<void> {
    const { hub, log, compose, isRotating, onSeen } = this.#parts
    if (isRotating()) return
    try {
      const beat = await compose()
      this.#said = beat
      const { standing } = hub
      if (this.#isKnown(beat, standing)) return
      const reply = await hub.heartbeat(beat, signal)
      this.#told = { by: standing, beat, at: this.#parts.clock.now() }
      if (this.#isFailing) log.info('heartbeats reach the hub again')
      this.#isFailing = false
      this.#last = { at: this.#parts.clock.now(), exitIp: reply.remoteIp, failure: null }
      log.debug({ exitIp: reply.remoteIp }, 'heartbeat')
      if (reply.ipChanged) log.info({ exitIp: reply.remoteIp }, 'exit IP changed')
      onSeen(reply.remoteIp)
    } catch (error) {
      if (signal.aborted || isRotating()) return
      const message = error instanceof AgentError ? error.message : String(error)
      this.#last = { at: this.#parts.clock.now(), exitIp: null, failure: message }
      // Once loudly: a night without a hub shall not fill the disk.
      log[this.#isFailing ? 'debug' : 'warn']({ reason: message }, 'heartbeat failed')
      this.#isFailing = true
    }
  }

  /** Whether the hub needs no word: a connection stands, and nothing is new since the last beat by it. Each one is paid for by the SIM. */
  #isKnown(beat: AgentHeartbeatJson, standing: object | null): boolean {
    const told = this.#told
    if (standing === null || told?.by !== standing || !this.#last || this.#last.failure !== null) return false
    const now = this.#parts.clock.now()
    const intervals = Math.floor((now - told.at) / this.#parts.everyMs)
    if (intervals >= QUIET_INTERVALS || isNews(told.beat, beat, intervals)) return false
    this.#last = { ...this.#last, at: now }
    return true
  }
}
