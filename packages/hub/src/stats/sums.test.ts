import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { UsageHour } from '../store/index.ts'
import { noCounts } from '../store/index.ts'
import { bucketStarts } from './range.ts'
import { addCounts, ratesOf, seriesOf } from './sums.ts'

const HOUR = 3_600_000
const T0 = Date.parse('2026-11-22T00:00:00Z')

const hourOf = (index: number, requests: number, latency: number[] = [requests]): UsageHour => ({
  key: '',
  hour: T0 + index * HOUR,
  requests,
  successful: requests,
  banned: 0,
  failed: 0,
  durationMs: requests * 10,
  bytesOut: requests,
  bytesIn: requests * 100,
  latency,
})

describe('buckets', () => {
  test.each([
    ['hours are the hours of the range', 'hour', 'UTC', 0, 3, [0, 1, 2]],
    ['days begin at midnight, the first with the range', 'day', 'UTC', 5, 50, [5, 24, 48]],
    ['days are those of the zone', 'day', 'Asia/Seoul', 5, 50, [5, 15, 39]],
    ['an hour that midnight divides counts for the day in which it begins', 'day', 'Asia/Kolkata', 0, 24, [0, 19]],
    ['an empty range has none', 'hour', 'UTC', 3, 3, []],
  ] as const)('%s', (_name, bucket, timeZone, from, to, starts) => {
    const range = { from: T0 + from * HOUR, to: T0 + to * HOUR, bucket, timeZone }
    expect(bucketStarts(range).map((start) => (start - T0) / HOUR)).toEqual(starts)
  })

  test('the day on which clocks go back has 25 hours', () => {
    const from = Date.parse('2026-10-25T00:00:00Z') - 2 * HOUR
    const range = { from, to: from + 48 * HOUR, bucket: 'day', timeZone: 'Europe/Berlin' } as const
    expect(bucketStarts(range).map((start) => (start - from) / HOUR)).toEqual([0, 25])
  })

  test('sums over the buckets are the sum over the range, whatever the zone', () => {
    const hours = fc.array(fc.tuple(fc.integer({ min: -30, max: 230 }), fc.array(fc.nat(9), { maxLength: 5 })), { maxLength: 60 })
    const zones = fc.constantFrom('UTC', 'Asia/Seoul', 'Europe/Moscow', 'America/New_York', 'Asia/Kathmandu')
    fc.assert(
      fc.property(hours, zones, fc.constantFrom('hour', 'day'), fc.integer({ min: 0, max: 200 }), (given, timeZone, bucket, length) => {
        const range = { from: T0, to: T0 + length * HOUR, bucket, timeZone } as const
        const stored = given.map(([at, latency]) =>
          hourOf(
            at,
            latency.reduce((a, b) => a + b, 0),
            latency,
          ),
        )
        const { total, series } = seriesOf(stored, range)
        const again = noCounts()
        for (const { counts } of series) addCounts(again, counts)
        expect(again).toEqual(total)
        const within = stored.filter(({ hour }) => hour >= range.from && hour < range.to)
        expect(total.requests).toBe(within.reduce((sum, { requests }) => sum + requests, 0))
        expect(total.latency.reduce((a, b) => a + b, 0)).toBe(total.requests)
      }),
    )
  })
})

test('of nothing there are no rates, and not zero', () => {
  expect(ratesOf(noCounts())).toEqual({ successRate: null, averageMs: null, p50Ms: null, p95Ms: null, p99Ms: null })
})

test('rates are those of all attempts, quantiles those of the histogram', () => {
  // 90 of them in the bucket that ends at 8 ms, 10 in the one around 180 ms.
  const counts = { ...noCounts(), requests: 100, successful: 85, durationMs: 2_345, latency: [90, ...Array(13).fill(0), 10] }
  expect(ratesOf(counts)).toEqual({ successRate: 0.85, averageMs: 23, p50Ms: 8, p95Ms: 181, p99Ms: 181 })
})
