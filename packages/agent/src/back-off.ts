/** Waits between tries that failed: each about twice as long as the one before, none longer than `maxMs`. */
export interface BackOff {
  /** How long to wait before the next try, ms: between half of the present step and all of it, so that many agents do not try together. */
  next(): number
  /** To be called after a success. */
  reset(): void
}

export function createBackOff(minMs: number, maxMs: number, random: () => number): BackOff {
  let failures = 0
  return {
    next: () => {
      const step = Math.min(maxMs, minMs * 2 ** failures)
      failures = Math.min(failures + 1, 30)
      return Math.round(step / 2 + (random() * step) / 2)
    },
    reset: () => {
      failures = 0
    },
  }
}
