/** The first wait after a cut, ms: long enough for a hub's restart to be under way, short enough that nobody notices a hiccup. */
const FIRST_MS = 500
/** The longest wait, ms. */
const LONGEST_MS = 15_000

/** The longest that a hub may ask for, ms. */
const LONGEST_ASKED_MS = 60_000

/**
 * How long to wait before attempt `attempt` (0 is the first after a cut), ms: doubling, of which the upper half is drawn by `random`
 * (in [0, 1)), so that the pages of a restarted hub do not come back all at once. What the hub asks for, `notBeforeMs`, raises the lower half.
 */
export function backOffMs(attempt: number, random: () => number, notBeforeMs = 0): number {
  const half = Math.min(FIRST_MS * 2 ** Math.min(attempt, 10), LONGEST_MS) / 2
  return Math.max(half, Math.min(notBeforeMs, LONGEST_ASKED_MS)) + half * random()
}
