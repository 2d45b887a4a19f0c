import type { Clock } from '../src/clock.ts'

interface Sleeper {
  readonly at: number
  wake(): void
}

/** Time that stands still until a test lets it pass; sleepers wake in the order of their times. */
export class VirtualClock implements Clock {
  #now: number
  readonly #sleepers = new Set<Sleeper>()

  constructor(now = Date.UTC(2026, 0, 1)) {
    this.#now = now
  }

  /** Sleeps that nobody has ended. */
  get sleeping(): number {
    return this.#sleepers.size
  }

  now(): number {
    return this.#now
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const onAbort = (): void => {
        this.#sleepers.delete(sleeper)
        reject(signal?.reason)
      }
      const sleeper: Sleeper = {
        at: this.#now + Math.max(0, ms),
        wake: () => {
          signal?.removeEventListener('abort', onAbort)
          resolve()
        },
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#sleepers.add(sleeper)
    })
  }

  /** Lets time pass until the work is done. Throws when it waits for something that is not time. */
  async run<T>(work: Promise<T>): Promise<T> {
    let isDone = false
    const done = work.finally(() => {
      isDone = true
    })
    done.catch(() => {})
    for (;;) {
      await settle()
      if (isDone) return done
      if (!this.#wakeNext(Number.POSITIVE_INFINITY)) throw new Error('the work waits for something else than time')
    }
  }

  /** Lets this much time pass. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms
    do await settle()
    while (this.#wakeNext(until))
    this.#now = until
    await settle()
  }

  #wakeNext(until: number): boolean {
    let next: Sleeper | null = null
    for (const sleeper of this.#sleepers) if (sleeper.at <= until && (next === null || sleeper.at < next.at)) next = sleeper
    if (!next) return false
    this.#sleepers.delete(next)
    this.#now = Math.max(this.#now, next.at)
    next.wake()
    return true
  }
}

/** Lets everything happen that needs no time. */
export async function settle(): Promise<void> {
  for (let turns = 0; turns < 3; turns += 1) await new Promise((resolve) => setImmediate(resolve))
}
