import fc from 'fast-check'
import { expect, test } from 'vitest'
import { backoffMs, hubBackoff } from './backoff.ts'

test.each([
  [1, 500, 1_000],
  [2, 1_000, 2_000],
  [5, 8_000, 16_000],
  [6, 15_000, 30_000],
  [1_000, 15_000, 30_000],
])('after %i failures the wait is from %i to %i ms', (failures, shortest, longest) => {
  expect(backoffMs(failures, () => 0, hubBackoff)).toBe(shortest)
  expect(backoffMs(failures, () => 1, hubBackoff)).toBe(longest)
})

test('no wait is ever nothing or endless', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10_000 }), fc.double({ min: 0, max: 1, noNaN: true }), (failures, random) => {
      const ms = backoffMs(failures, () => random, hubBackoff)
      expect(ms).toBeGreaterThanOrEqual(500)
      expect(ms).toBeLessThanOrEqual(30_000)
    }),
  )
})
