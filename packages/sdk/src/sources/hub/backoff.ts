export interface BackoffSettings {
  readonly firstMs: number
  readonly longestMs: number
}

/** One second first, half a minute at the longest: a hub that restarts is back within seconds, one that is gone is not hammered. */
export const hubBackoff: BackoffSettings = { firstMs: 1_000, longestMs: 30_000 }

/**
 * How long to wait before the next try: it doubles with every failure, and a random half of it keeps many parsers
 * from coming back to a restarted hub in the same instant. `failures` counts from 1.
 */
export function backoffMs(failures: number, random: () => number, { firstMs, longestMs }: BackoffSettings): number {
  const full = Math.min(longestMs, firstMs * 2 ** (failures - 1))
  return full / 2 + (random() * full) / 2
}
