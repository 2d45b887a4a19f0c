import type { Http2Session, ServerSessionOptions } from 'node:http2'

/** Of a whole session. Node acknowledges what it has received at once, so this bounds what is on the way, not what is kept. */
const SESSION_WINDOW_BYTES = 16 << 20

/**
 * Windows of one stream by how many streams a session has. One download alone needs 1 MiB to fill a mobile link of 50 ms; many that stall
 * together would cost the memory of all their windows (reference: tunnel.md, pitfall 7): with these no session keeps more than 64 MiB.
 */
const steps = [
  { upTo: 16, bytes: 1 << 20 },
  { upTo: 128, bytes: 256 << 10 },
  { upTo: Number.POSITIVE_INFINITY, bytes: 64 << 10 },
] as const

/** Options of both ends. Stock values kill a session after some 3,200 clients that hang up quickly (reference: tunnel.md). */
export const sessionOptions = (): ServerSessionOptions & { peerMaxConcurrentStreams: number } => ({
  maxSessionMemory: 1_024,
  peerMaxConcurrentStreams: 1_000,
  streamResetBurst: 1_000_000,
  streamResetRate: 1_000_000,
  settings: { enablePush: false, initialWindowSize: steps[0].bytes, maxConcurrentStreams: 10_000 },
})

/** Fits the windows of a session's streams to their number. */
export class FlowWindow {
  readonly #session: Http2Session
  #streams = 0
  #step = 0

  constructor(session: Http2Session) {
    this.#session = session
    session.setLocalWindowSize(SESSION_WINDOW_BYTES)
  }

  /** How many streams are open. */
  get streams(): number {
    return this.#streams
  }

  opened(): void {
    this.#streams += 1
    this.#apply(stepFor(this.#streams))
  }

  closed(): void {
    this.#streams -= 1
    // Grown only well below the step, so that a number that hovers around it does not send settings all the time.
    this.#apply(Math.min(this.#step, stepFor(this.#streams * 2)))
  }

  #apply(step: number): void {
    if (step === this.#step || this.#session.closed || this.#session.destroyed) return
    this.#step = step
    this.#session.settings({ initialWindowSize: windowOf(step) })
  }
}

const stepFor = (streams: number): number => steps.findIndex(({ upTo }) => streams <= upTo)
const windowOf = (step: number): number => (steps[step] ?? steps[0]).bytes
