/** What a connection takes: `tunnel` TCP, CONNECT and TLS with the target; `raw` the first two; `forward` TCP to the device's proxy alone. */
export type ConnectKind = 'tunnel' | 'raw' | 'forward'

/** Connections that are remembered of each kind: enough for a 95th percentile, few enough to follow the network's mood. */
const REMEMBERED = 128
/** With fewer there is no percentile to speak of. */
const ENOUGH = 20
/** A percentile of a full window is taken anew after so many values: it moves no faster than that, and every connection asks for it. */
const REFRESH = 16
/** The delay until then: connecting over a mobile link takes a few round trips of 50 to 300 ms. */
const FIRST_DELAY_MS = 1_000
/** Never sooner: the Connection Attempt Delay that RFC 8305, 5, recommends. */
const SHORTEST_DELAY_MS = 250
/** "Defer the second request until the first has been outstanding for more than the 95th-percentile latency" (Dean and Barroso, "The Tail at Scale", CACM 56/2, 2013): about one in twenty connections is then hedged. */
const PERCENTILE = 0.95

/** How long connections of the fleet took lately, and with that how long one may take before it counts as slow. */
export class ConnectTimes {
  readonly #longestDelayMs: number
  readonly #windows: Readonly<Record<ConnectKind, Window>> = { tunnel: new Window(), raw: new Window(), forward: new Window() }

  /** `connectTimeoutMs`: a connection is never waited for longer than half of it before another is tried. */
  constructor(connectTimeoutMs: number) {
    this.#longestDelayMs = connectTimeoutMs / 2
  }

  note(kind: ConnectKind, tookMs: number): void {
    this.#windows[kind].add(tookMs)
  }

  /** How long to wait for a connection before a second device is asked, ms: min(connectTimeoutMs / 2, max(250, p95 of the last 128)). */
  hedgeDelayMs(kind: ConnectKind): number {
    const p95 = this.#windows[kind].p95
    return Math.min(this.#longestDelayMs, p95 === undefined ? FIRST_DELAY_MS : Math.max(SHORTEST_DELAY_MS, p95))
  }
}

/** The last so many values. */
class Window {
  readonly #values: number[] = []
  #next = 0
  #p95: number | undefined
  /** Values since it was taken. */
  #since = 0

  add(value: number): void {
    this.#values[this.#next] = value
    this.#next = (this.#next + 1) % REMEMBERED
    this.#since += 1
  }

  get p95(): number | undefined {
    if (this.#values.length < ENOUGH) return undefined
    const isFresh = this.#values.length < REMEMBERED ? this.#since === 0 : this.#since < REFRESH
    if (this.#p95 !== undefined && isFresh) return this.#p95
    const sorted = this.#values.toSorted((one, other) => one - other)
    this.#since = 0
    this.#p95 = sorted[Math.ceil(PERCENTILE * sorted.length) - 1]
    return this.#p95
  }
}
