import type { Logger } from 'pino'
import type { Send } from '../../../outbound/outbound.ts'
import type { ExitProbe, ProbedDevice } from './exit-probe.ts'
import { type CallPort, runCall } from './run-call.ts'

export interface CallParts {
  send: Send
  probe: ExitProbe
  /** Whether the exit IP of a device can be measured through its proxy, or by its tunnel. */
  isMeasurable: (device: ProbedDevice) => boolean
  /** A device was seen at an address, through its proxy. */
  see: (device: CallPort['device'], ip: string) => void
  now: () => number
  /** Waits for so many ms. @throws when `signal` aborts */
  sleep: (ms: number, signal: AbortSignal) => Promise<void>
  log: Logger
}

interface Running {
  stop: AbortController
  done: Promise<void>
}

/** The rotations that the hub carries out itself, by calling a device's rotation URL: one at a time a rotation. */
export class CallRuns {
  readonly #parts: CallParts
  readonly #running = new Map<string, Running>()

  constructor(parts: CallParts) {
    this.#parts = parts
  }

  /** Begins an attempt, or takes it up at the step at which it was left. */
  start(port: CallPort): void {
    const { id } = port.rotation
    this.stop(id)
    const stop = new AbortController()
    const done = runCall(port, this.#parts, stop.signal)
      .catch((error: unknown) => {
        if (!stop.signal.aborted) this.#parts.log.error({ err: error, rotation: id }, 'A rotation by URL could not be carried out.')
      })
      .finally(() => {
        if (this.#running.get(id)?.stop === stop) this.#running.delete(id)
      })
    this.#running.set(id, { stop, done })
  }

  /** Whether the exit IP of a device can be measured through its proxy, or by its tunnel. */
  isMeasurable(device: ProbedDevice): boolean {
    return this.#parts.isMeasurable(device)
  }

  has(rotationId: string): boolean {
    return this.#running.has(rotationId)
  }

  /** Its attempt is over, or nobody wants it any more. */
  stop(rotationId: string): void {
    this.#running.get(rotationId)?.stop.abort()
    this.#running.delete(rotationId)
  }

  /** Leaves every run where it is; the next start of the hub takes them up. */
  async close(): Promise<void> {
    const runs = [...this.#running.values()]
    for (const { stop } of runs) stop.abort()
    await Promise.allSettled(runs.map(({ done }) => done))
  }
}
