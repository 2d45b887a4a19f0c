import { latencyBucket } from './latency.ts'
import type { UsageEntry } from './usage-store.ts'

/** What attempts add up to. */
export interface UsageCounts {
  requests: number
  /** `answered`. */
  successful: number
  banned: number
  /** All else. */
  failed: number
  /** Of all of them together. */
  durationMs: number
  bytesOut: number
  bytesIn: number
  /** Histogram, see latency.ts. */
  latency: number[]
}

/** Nothing yet; to be added to. */
export const noCounts = (): UsageCounts => ({
  requests: 0,
  successful: 0,
  banned: 0,
  failed: 0,
  durationMs: 0,
  bytesOut: 0,
  bytesIn: 0,
  latency: [],
})

/** Entries summed up under keys, in the order of the keys: writers that go in one order cannot wait for each other. */
export function sumsBy(entries: readonly UsageEntry[], keyOf: (entry: UsageEntry) => string | null): [string, UsageCounts][] {
  const sums = new Map<string, UsageCounts>()
  for (const entry of entries) {
    const key = keyOf(entry)
    if (key === null) continue
    let sum = sums.get(key)
    if (!sum) {
      sum = noCounts()
      sums.set(key, sum)
    }
    count(sum, entry)
  }
  return [...sums].sort(([a], [b]) => (a < b ? -1 : 1))
}

function count(sum: UsageCounts, { outcome, durationMs, bytesIn, bytesOut }: UsageEntry): void {
  sum.requests++
  if (outcome === 'answered') sum.successful++
  else if (outcome === 'banned') sum.banned++
  else sum.failed++
  sum.durationMs += durationMs
  sum.bytesOut += bytesOut
  sum.bytesIn += bytesIn
  const bucket = latencyBucket(durationMs)
  while (sum.latency.length <= bucket) sum.latency.push(0)
  sum.latency[bucket] = (sum.latency[bucket] ?? 0) + 1
}
