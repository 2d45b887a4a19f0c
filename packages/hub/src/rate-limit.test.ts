import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RateLimit } from './rate-limit.ts'

test('a minute’s worth passes at once, then one in every sixtieth of it', () => {
  const limit = new RateLimit(60)
  for (let n = 0; n < 60; n++) expect(limit.take('a', 0)).toBe(0)
  expect(limit.take('a', 0)).toBe(1_000)
  expect(limit.take('a', 999)).toBe(1)
  expect(limit.take('a', 1_000)).toBe(0)
  expect(limit.take('a', 1_000)).toBe(1_000)
})

test('keys do not share', () => {
  const limit = new RateLimit(1)
  expect(limit.take('a', 0)).toBe(0)
  expect(limit.take('b', 0)).toBe(0)
  expect(limit.take('a', 0)).toBe(60_000)
})

test('asking does not count', () => {
  const limit = new RateLimit(1)
  for (let n = 0; n < 5; n++) expect(limit.waitFor('a', 0)).toBe(0)
  expect(limit.take('a', 0)).toBe(0)
  expect(limit.waitFor('a', 0)).toBe(60_000)
})

test('it forgets the oldest keys, not the newest', () => {
  const limit = new RateLimit(1)
  for (let n = 0; n <= 10_000; n++) limit.take(`k${n}`, 0)
  expect(limit.take('k0', 0)).toBe(0)
  expect(limit.take('k10000', 0)).toBe(60_000)
})

test('in no minute do more than two minutes’ worth pass, however they come', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 50 }), fc.array(fc.integer({ min: 0, max: 5_000 }), { maxLength: 300 }), (perMinute, gaps) => {
      const limit = new RateLimit(perMinute)
      const passed: number[] = []
      let now = 0
      for (const gap of gaps) {
        now += gap
        if (limit.take('a', now) === 0) passed.push(now)
      }
      for (const from of passed) expect(passed.filter((at) => at >= from && at < from + 60_000).length).toBeLessThanOrEqual(2 * perMinute)
    }),
  )
})
