import { setTimeout as delay } from 'node:timers/promises'

/** Time as the agent sees it. Tests put a virtual one in its place. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  /** Resolves after `ms`; rejects with the signal's reason when it aborts before. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** The longest that a timer takes (2^31 - 1 ms); a longer one would fire at once. */
const LONGEST_DELAY_MS = 2_147_483_647

export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(ms, signal) {
    signal?.throwIfAborted()
    try {
      await delay(Math.min(Math.max(0, ms), LONGEST_DELAY_MS), undefined, signal ? { signal } : {})
    } catch {
      throw signal?.reason
    }
  },
}

/**
 * Runs an operation for at most `timeoutMs`. It is told by its signal when its time is over or `outer` aborts, and it is not waited for
 * if it does not listen: the promise then rejects with `onTimeout()`, or with the outer signal's reason.
 */
export async function within<T>(
  clock: Clock,
  timeoutMs: number,
  operation: (signal: AbortSignal) => Promise<T>,
  onTimeout: () => Error,
  outer?: AbortSignal,
): Promise<T> {
  const over = new AbortController()
  const signal = outer ? AbortSignal.any([over.signal, outer]) : over.signal
  const timeout = async (): Promise<never> => {
    await clock.sleep(timeoutMs, signal)
    throw onTimeout()
  }
  try {
    return await Promise.race([operation(signal), timeout()])
  } finally {
    over.abort()
  }
}
