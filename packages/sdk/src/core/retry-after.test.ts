import { expect, test } from 'vitest'
import { readRetryAfter } from './retry-after.ts'

const NOW = Date.parse('2026-01-01T00:00:00Z')

test.each([
  [undefined, undefined],
  ['', undefined],
  ['120', 120_000],
  [' 0 ', 0],
  ['-5', undefined],
  ['soon', undefined],
  ['Thu, 01 Jan 2026 00:00:30 GMT', 30_000],
  ['Thu, 01 Jan 2015 00:00:30 GMT', 0],
  [['7', '9'], 7_000],
])('%j means %s ms', (value, expected) => {
  expect(readRetryAfter(value, NOW)).toBe(expected)
})
