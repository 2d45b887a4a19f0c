/** The first wait after a cut, ms: long enough for a hub's restart to be under way, short enough that nobody notices a hiccup. */
const FIRST_MS = 500
/** The longest wait, ms. */
const LONGEST_MS = 15_000

/**
 * How long to wait before attempt `attempt` (0 is the first after a cut), ms: doubling, of which the upper half is drawn by `random`
 * (in [0, 1)), so that the pages of a restarted hub do not come back all at once. Never sooner than the hub itself asks by `notBeforeMs`,
 * which counts up to 60 s.
 */
export function backOffMs(attempt: number, random: () => number, notBeforeMs = 0): number {
  const whole = Math.min(FIRST_MS * 2 ** Math.min(attempt, 10), LONGEST_MS)
  return Math.max(whole / 2 + (whole / 2) * random(), Math.min(notBeforeMs, 60_000))
}
