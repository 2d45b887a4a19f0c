/** Bucket 0 ends at this many ms. */
const FIRST_MS = 8
/** Buckets for each doubling: a quantile is off by at most 2^(1/6) - 1 = 12.3 % (half a bucket, geometrically). */
const PER_DOUBLING = 3
/** Of a histogram: 8 ms to 131 s; what is slower is in the last one. */
export const LATENCY_BUCKETS = 43

/** The histogram bucket of a latency in ms. */
export const latencyBucket = (ms: number): number =>
  ms <= FIRST_MS ? 0 : Math.min(LATENCY_BUCKETS - 1, Math.ceil(Math.log2(ms / FIRST_MS) * PER_DOUBLING))

/**
 * A quantile (0 to 1) of a histogram in ms, at most 12.3 % off between 8 ms and 131 s; null when it is empty.
 * Histograms of any hours and devices may be added up first.
 */
export function latencyQuantile(counts: readonly number[], quantile: number): number | null {
  const total = counts.reduce((sum, count) => sum + (count || 0), 0)
  if (total === 0) return null
  const rank = Math.max(1, Math.ceil(total * quantile))
  let seen = 0
  for (let index = 0; index < counts.length; index++) {
    seen += counts[index] ?? 0
    if (seen >= rank) return Math.round(FIRST_MS * 2 ** (index === 0 ? 0 : (index - 0.5) / PER_DOUBLING))
  }
  return null
}
