import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '../src/clock.ts'

/** Time that passes as soon as somebody sleeps: for what polls a real socket or process. */
export class HastyClock implements Clock {
  #now = Date.UTC(2026, 0, 1)
  /** How long each sleep was, ms. */
  readonly slept: number[] = []

  now(): number {
    return this.#now
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    await turn()
    signal?.throwIfAborted()
    this.#now += ms
    this.slept.push(ms)
  }
}
