import { createHash } from 'node:crypto'
import type { AgentHeartbeatJson } from '@mobilepool/sdk/contract'
import type { Logger } from 'pino'
import type { Clock } from './clock.ts'
import { AgentError } from './errors.ts'
import type { HubClient } from './hub/hub-client.ts'

/**
 * When the next heartbeat is due: every `everyMs`, at an offset of the device's own, so that a thousand agents started together do not
 * beat together. The offset stays the same over restarts.
 */
export function nextBeatAt(now: number, name: string, everyMs: number): number {
  const offset = createHash('sha256').update(name).digest().readUInt32BE() % everyMs
  return Math.floor((now - offset) / everyMs + 1) * everyMs + offset
}

/** What the loop needs of the agent. */
export interface HeartbeatParts {
  readonly clock: Clock
  readonly log: Logger
  readonly hub: Pick<HubClient, 'heartbeat'>
  readonly name: string
  readonly everyMs: number
  /** While the device rotates there is nothing to send by: heartbeats are left out, and one that was cut is no failure. */
  isRotating(): boolean
  compose(): Promise<AgentHeartbeatJson>
  /** Called with the exit IP that the hub saw. */
  onSeen(exitIp: string): void
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
      this.#said = await compose()
      const reply = await hub.heartbeat(this.#said, signal)
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
}
