import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createBackOff } from './back-off.ts'

test('waits grow to the longest, never beyond, never below half of their step, and begin anew after a success', () => {
  fc.assert(
    fc.property(fc.float({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (random) => {
      const backOff = createBackOff(100, 3_000, () => random)
      for (const step of [100, 200, 400, 800, 1_600, 3_000, 3_000]) {
        const wait = backOff.next()
        expect(wait).toBeGreaterThanOrEqual(step / 2)
        expect(wait).toBeLessThanOrEqual(step)
      }
      backOff.reset()
      expect(backOff.next()).toBeLessThanOrEqual(100)
    }),
  )
})
