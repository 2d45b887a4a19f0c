/** Time as the pool sees it. Tests put a virtual one in its place. */
export interface Clock {
  /** Milliseconds since 1970 that never jump backwards. */
  now(): number
  /**
   * Calls `run` once after `delayMs`; the function returned calls it off.
   * A timer keeps the process alive only where somebody waits for it.
   */
  schedule(delayMs: number, run: () => void, options?: { keepsProcessAlive?: boolean }): () => void
}

/** Longest delay that `setTimeout` takes (2^31 - 1); a longer one would fire at once. */
const LONGEST_DELAY_MS = 2_147_483_647

/** Read once: the getter costs more than `now()`. */
const { timeOrigin } = performance

export const systemClock: Clock = {
  now: () => timeOrigin + performance.now(),
  schedule(delayMs, run, { keepsProcessAlive = false } = {}) {
    const timer = setTimeout(run, Math.min(Math.max(0, delayMs), LONGEST_DELAY_MS))
    if (!keepsProcessAlive) timer.unref()
    return () => clearTimeout(timer)
  },
}
