import { expect, test } from 'vitest'
import { countedNow, periodStart, resetAt } from './quota.ts'

const at = (text: string): number => Date.parse(text)

test.each([
  ['day', '2026-11-22T23:59:59.999Z', '2026-11-22T00:00:00.000Z', '2026-11-23T00:00:00.000Z'],
  ['day', '2026-12-31T00:00:00.000Z', '2026-12-31T00:00:00.000Z', '2027-01-01T00:00:00.000Z'],
  ['month', '2026-12-31T23:59:59.999Z', '2026-12-01T00:00:00.000Z', '2027-01-01T00:00:00.000Z'],
  ['month', '2028-02-29T12:00:00.000Z', '2028-02-01T00:00:00.000Z', '2028-03-01T00:00:00.000Z'],
] as const)('the %s of %s begins and ends in UTC', (period, now, start, end) => {
  expect(periodStart(period, at(now))).toBe(at(start))
  expect(resetAt(period, at(now))).toBe(at(end))
})

test('requests of an earlier period do not count, unless there are no periods', () => {
  const counted = { requestsUsed: 7, requestsSince: at('2026-11-30T23:00:00Z') }
  expect(countedNow(counted, 'month', at('2026-11-30T23:59:59Z'))).toBe(7)
  expect(countedNow(counted, 'month', at('2026-12-01T00:00:00Z'))).toBe(0)
  expect(countedNow(counted, 'never', at('2036-12-01T00:00:00Z'))).toBe(7)
  expect(resetAt('never', 0)).toBeNull()
})
