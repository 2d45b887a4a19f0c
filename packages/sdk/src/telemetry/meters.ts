import type { Device } from '../core/device.ts'
import type { AttemptKind } from '../errors.ts'
import { LatencySketch } from './latency-sketch.ts'

/** How many attempts came to what; what never happened is left out. */
export type OutcomeCounts = Partial<Record<AttemptKind, number>>

/** What attempts came to, how long answers took and how much went through. */
export interface MeterReading {
  /** Attempts that are over, by what they came to. */
  readonly outcomes: Readonly<OutcomeCounts>
  /** From the start of an attempt to the head of its answer, ms, connecting included; of the last few thousand. Null: no answer yet. */
  readonly latencyMs: { readonly p50: number; readonly p95: number } | null
  /** Bytes of response bodies as they came over the wire, without headers and TLS. */
  readonly bytesIn: number
  /** Bytes of request bodies; streams of unknown length are not in it. */
  readonly bytesOut: number
}

/** What a meter counts of an attempt that is over. */
export interface MeteredAttempt {
  readonly kind: AttemptKind
  readonly bytesIn: number
  readonly bytesOut: number
  readonly durationMs: number
}

const HAS_ANSWER: ReadonlySet<AttemptKind> = new Set(['answered', 'banned', 'target_error'])

class Meter {
  readonly #outcomes: OutcomeCounts = {}
  readonly #latency = new LatencySketch()
  #bytesIn = 0
  #bytesOut = 0

  count({ kind, bytesIn, bytesOut, durationMs }: MeteredAttempt): void {
    this.#outcomes[kind] = (this.#outcomes[kind] ?? 0) + 1
    this.#bytesIn += bytesIn
    this.#bytesOut += bytesOut
    if (HAS_ANSWER.has(kind)) this.#latency.add(durationMs)
  }

  read(): MeterReading {
    const [p50, p95] = [this.#latency.quantile(0.5), this.#latency.quantile(0.95)]
    const latencyMs = p50 === null || p95 === null ? null : { p50, p95 }
    return { outcomes: { ...this.#outcomes }, latencyMs, bytesIn: this.#bytesIn, bytesOut: this.#bytesOut }
  }
}

/** One meter a device, made when its first attempt is over, and one of the whole pool. */
export class Meters {
  readonly #pool = new Meter()
  readonly #devices = new WeakMap<Device, Meter>()

  count(device: Device, attempt: MeteredAttempt): void {
    this.#pool.count(attempt)
    const known = this.#devices.get(device)
    const meter = known ?? new Meter()
    if (known === undefined) this.#devices.set(device, meter)
    meter.count(attempt)
  }

  readDevice(device: Device): MeterReading {
    return (this.#devices.get(device) ?? NOTHING).read()
  }

  readPool(): MeterReading {
    return this.#pool.read()
  }
}

const NOTHING = new Meter()
