import { expect, test } from 'vitest'
import { highest, linePaths, stack } from './chart.ts'

const series = (tone: string, ...values: (number | null)[]) => ({ name: tone, tone, values })

test('bars stand on each other and fill the height where they are highest', () => {
  const both = [series('good', 6, 0, 3), series('bad', 2, 0, 1)]
  expect(highest(both, true)).toBe(8)
  expect(stack(both, 8)).toEqual([
    { step: 0, from: 0, height: 0.75, tone: 'good' },
    { step: 2, from: 0, height: 0.375, tone: 'good' },
    { step: 0, from: 0.75, height: 0.25, tone: 'bad' },
    { step: 2, from: 0.375, height: 0.125, tone: 'bad' },
  ])
})

test('lines are as high as the highest of them, not as their sum', () => {
  expect(highest([series('turn', 6, null), series('warn', 2, 5)], false)).toBe(6)
})

test('a chart of nothing has a height', () => {
  expect(highest([], true)).toBe(1)
  expect(highest([series('good', 0, 0)], true)).toBe(1)
})

test('a line has a gap where nothing was measured, and a point alone is seen', () => {
  expect(linePaths(series('turn', 10, 5, null, 0, null), 10)).toEqual(['M0.5 0L1.5 0.5', 'M3.5 1h0.4'])
  expect(linePaths(series('turn', null), 1)).toEqual([])
})
