import type { Logger } from 'pino'
import { isDatabaseDown, type Store } from '../store/index.ts'
import type { RotationOutcomes } from './rules/rotation-outcomes.ts'

/** Rotations of a device that are looked at: more than any threshold counts, canceled ones included. */
const ROTATIONS = 200
/** Devices of one round. A fleet of 10,000 that rotates every ten minutes has asked for all of them after ten minutes. */
const DEVICES_AT_ONCE = 200

export interface RotationRecallParts {
  store: { rotations: Pick<Store['rotations'], 'newest'> }
  outcomes: RotationOutcomes
  log: Logger
}

/** Tells the rules how rotations ended before this hub was started: a device's are read when its next one has ended. */
export class RotationRecall {
  readonly #parts: RotationRecallParts
  #reading: Promise<void> | null = null
  readonly #stop = new AbortController()

  constructor(parts: RotationRecallParts) {
    this.#parts = parts
  }

  /** Reads what is asked for, unless that is under way. */
  tick(): void {
    if (this.#stop.signal.aborted || this.#reading !== null || this.#parts.outcomes.unknown.size === 0) return
    this.#reading = this.#read()
      .catch((error: unknown) => {
        // They are asked for still.
        if (!isDatabaseDown(error)) this.#parts.log.error({ err: error }, 'Earlier rotations could not be read.')
      })
      .finally(() => {
        this.#reading = null
      })
  }

  /** Waits for what is being read. */
  async close(): Promise<void> {
    this.#stop.abort()
    await this.#reading
  }

  async #read(): Promise<void> {
    const { store, outcomes } = this.#parts
    for (const deviceId of [...outcomes.unknown].slice(0, DEVICES_AT_ONCE)) {
      if (this.#stop.signal.aborted) return
      outcomes.learn(deviceId, await store.rotations.newest({ deviceId, limit: ROTATIONS }))
    }
  }
}
