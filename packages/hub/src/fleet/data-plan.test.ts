import { expect, test } from 'vitest'
import { planBegan } from './data-plan.ts'

test.each([
  [1, '2026-11-23T04:00:00Z', '2026-11-01'],
  [23, '2026-11-23T00:00:00Z', '2026-11-23'],
  [24, '2026-11-23T23:59:59Z', '2026-10-24'],
  [31, '2026-03-01T00:00:00Z', '2026-02-28'],
  [31, '2028-03-01T00:00:00Z', '2028-02-29'],
  [31, '2026-11-30T12:00:00Z', '2026-11-30'],
  [15, '2027-01-02T00:00:00Z', '2026-12-15'],
])('the month of a plan of day %i that %s is in began at %s', (day, now, began) => {
  expect(new Date(planBegan(day, Date.parse(now))).toISOString()).toBe(`${began}T00:00:00.000Z`)
})
