import { latencyQuantile, noCounts, type UsageCounts, type UsageHour } from '../store/index.ts'
import { bucketStarts, type StatsRange } from './range.ts'

/** Adds counts to a sum, in place. */
export function addCounts(sum: UsageCounts, counts: UsageCounts): void {
  sum.requests += counts.requests
  sum.successful += counts.successful
  sum.banned += counts.banned
  sum.failed += counts.failed
  sum.durationMs += counts.durationMs
  sum.bytesOut += counts.bytesOut
  sum.bytesIn += counts.bytesIn
  counts.latency.forEach((count, index) => {
    sum.latency[index] = (sum.latency[index] ?? 0) + count
  })
}

/** What follows from counts. Null: there were no attempts (quantiles: none whose time was kept). */
export interface Rates {
  successRate: number | null
  averageMs: number | null
  p50Ms: number | null
  p95Ms: number | null
  p99Ms: number | null
}

export const ratesOf = ({ requests, successful, durationMs, latency }: UsageCounts): Rates => ({
  successRate: requests === 0 ? null : successful / requests,
  averageMs: requests === 0 ? null : Math.round(durationMs / requests),
  p50Ms: latencyQuantile(latency, 0.5),
  p95Ms: latencyQuantile(latency, 0.95),
  p99Ms: latencyQuantile(latency, 0.99),
})

/** Hours of a range put into its buckets: every bucket once, and all of them together. */
export function seriesOf(
  hours: readonly UsageHour[],
  range: StatsRange,
): { total: UsageCounts; series: { start: number; counts: UsageCounts }[] } {
  const series = bucketStarts(range).map((start) => ({ start, counts: noCounts() }))
  const total = noCounts()
  const sorted = hours.toSorted((a, b) => a.hour - b.hour)
  let place = 0
  for (const hour of sorted) {
    while ((series[place + 1]?.start ?? Number.POSITIVE_INFINITY) <= hour.hour) place++
    const bucket = series[place]
    if (!bucket || hour.hour < range.from || hour.hour >= range.to) continue
    addCounts(bucket.counts, hour)
    addCounts(total, hour)
  }
  return { total, series }
}
