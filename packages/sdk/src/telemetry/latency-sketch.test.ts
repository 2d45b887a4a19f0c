import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LatencySketch } from './latency-sketch.ts'

const sketchOf = (values: readonly number[]): LatencySketch => {
  const sketch = new LatencySketch()
  for (const value of values) sketch.add(value)
  return sketch
}

test('a quantile is off by at most 8 %', () => {
  const latency = fc.double({ min: 1, max: 600_000, noNaN: true })
  fc.assert(
    fc.property(fc.array(latency, { minLength: 1, maxLength: 500 }), fc.constantFrom(0.5, 0.95), (values, share) => {
      const exact = values.toSorted((a, b) => a - b)[Math.ceil(share * values.length) - 1] ?? 0
      const told = sketchOf(values).quantile(share) ?? 0
      expect(Math.abs(told - exact)).toBeLessThanOrEqual(0.08 * exact + 0.05)
    }),
  )
})

test('follows when a device becomes slow, and stays bounded', () => {
  const sketch = sketchOf(Array.from({ length: 100_000 }, () => 100))
  expect(sketch.quantile(0.5)).toBeGreaterThan(90)
  for (let i = 0; i < 5_000; i++) sketch.add(2_000)
  expect(sketch.quantile(0.5)).toBeGreaterThan(1_800)
})

test('says nothing when nothing was counted', () => {
  expect(new LatencySketch().quantile(0.5)).toBeNull()
})
