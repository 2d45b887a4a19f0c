import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { backOffMs } from './back-off.ts'

describe('the wait before the next attempt', () => {
  it('doubles from half a second to fifteen', () => {
    const longest = [0, 1, 2, 3, 4, 5, 6, 1000].map((attempt) => backOffMs(attempt, () => 1))
    expect(longest).toEqual([500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000])
  })

  it('is spread over its upper half, so that pages do not come back all at once', () => {
    fc.assert(
      fc.property(fc.nat(50), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (attempt, drawn) => {
        const whole = backOffMs(attempt, () => 1)
        const wait = backOffMs(attempt, () => drawn)
        expect(wait).toBeGreaterThanOrEqual(whole / 2)
        expect(wait).toBeLessThanOrEqual(whole)
      }),
    )
  })

  it('is no shorter than the hub asks, a minute at most, and spread all the same', () => {
    expect(backOffMs(0, () => 0, 30_000)).toBe(30_000)
    expect(backOffMs(2, () => 1, 30_000)).toBe(31_000)
    expect(backOffMs(0, () => 0, 86_400_000)).toBe(60_000)
    expect(backOffMs(6, () => 1, 100)).toBe(15_000)
  })
})
