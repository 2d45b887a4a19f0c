import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Raffle } from './raffle.ts'

/** Every share of the whole, in equal steps. */
const steps = (count: number): (() => number) => {
  let next = 0
  return () => (next++ % count) / count
}

test('draws each device as often as its weight says', () => {
  const devices = [{ weight: 1 }, { weight: 0.5 }, { weight: 2.5 }]
  const raffle = new Raffle(devices)
  const random = steps(4_000)
  const counts = new Map(devices.map((device) => [device, 0]))
  for (let draw = 0; draw < 4_000; draw++) {
    const device = raffle.draw(() => true, random)
    if (device) counts.set(device, (counts.get(device) ?? 0) + 1)
  }
  expect([...counts.values()]).toEqual([1_000, 500, 2_500])
})

test('what is not usable is never drawn, and does not change the chances of the others', () => {
  const devices = [
    { name: 'a', weight: 1 },
    { name: 'out', weight: 6 },
    { name: 'b', weight: 3 },
  ]
  const raffle = new Raffle(devices)
  const counts = new Map<string, number>()
  let seed = 1
  const random = (): number => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed / 2_147_483_647
  }
  for (let draw = 0; draw < 20_000; draw++) {
    const drawn = raffle.draw(({ name }) => name !== 'out', random)?.name ?? 'none'
    counts.set(drawn, (counts.get(drawn) ?? 0) + 1)
  }
  expect([...counts.keys()].sort()).toEqual(['a', 'b'])
  const ratio = (counts.get('b') ?? 0) / (counts.get('a') ?? 0)
  expect(ratio).toBeGreaterThan(2.8)
  expect(ratio).toBeLessThan(3.2)
})

test('finds one whenever there is one, and only a usable one', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ weight: fc.double({ min: 0.001, max: 1_000, noNaN: true }), up: fc.boolean() }), { maxLength: 200 }),
      fc.array(fc.double({ min: 0, max: 0.999_999, noNaN: true }), { minLength: 1, maxLength: 12 }),
      (devices, shares) => {
        let next = 0
        const drawn = new Raffle(devices).draw(
          ({ up }) => up,
          () => shares[next++ % shares.length] ?? 0,
        )
        expect(drawn === null).toBe(!devices.some(({ up }) => up))
        if (drawn) expect(drawn.up).toBe(true)
      },
    ),
  )
})
