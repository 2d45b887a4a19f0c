import fc from 'fast-check'
import { expect, test } from 'vitest'
import { latencyBucket, latencyQuantile } from './latency.ts'

test('a quantile between 8 ms and 131 s is off by at most 12.3 %, and a rounding', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 8, max: 131_000 }), { minLength: 1 }), fc.constantFrom(0.5, 0.95, 0.99), (times, quantile) => {
      const counts: number[] = []
      for (const time of times) counts[latencyBucket(time)] = (counts[latencyBucket(time)] ?? 0) + 1
      const exact = times.toSorted((a, b) => a - b)[Math.ceil(times.length * quantile) - 1] ?? 0
      expect(
        Math.abs(
          (latencyQuantile(
            Array.from(counts, (count) => count ?? 0),
            quantile,
          ) ?? 0) - exact,
        ),
      ).toBeLessThanOrEqual(exact * 0.123 + 0.5)
    }),
  )
  expect(latencyQuantile([], 0.5)).toBeNull()
})
