import { expect, test } from 'vitest'
import { ConnectTimes } from './connect-times.ts'

const after = (times: readonly number[], connectTimeoutMs = 10_000): number => {
  const all = new ConnectTimes(connectTimeoutMs)
  for (const time of times) all.note('tunnel', time)
  return all.hedgeDelayMs('tunnel')
}
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index)

test.each([
  ['nothing is known', [], 1_000],
  ['too little is known', new Array<number>(19).fill(3_000), 1_000],
  ['the 95th percentile', range(401, 500), 495],
  ['never sooner than 250 ms', range(1, 100), 250],
  ['never later than half of the time-out', range(9_001, 9_100), 5_000],
  ['what is long ago is forgotten', [...new Array<number>(500).fill(4_000), ...new Array<number>(128).fill(700)], 700],
  ['a few slow ones are no rule', [...new Array<number>(95).fill(300), 4_000, 4_000, 4_000, 4_000, 4_000], 300],
] as const)('the delay of a hedge: %s', (_what, times, expected) => {
  expect(after(times)).toBe(expected)
})

test('a short time-out bounds the first guess too; kinds of connections are told apart', () => {
  expect(after([], 300)).toBe(150)
  const times = new ConnectTimes(10_000)
  for (const time of range(401, 500)) times.note('tunnel', time)
  expect((['tunnel', 'raw', 'forward'] as const).map((kind) => times.hedgeDelayMs(kind))).toEqual([495, 1_000, 1_000])
})
