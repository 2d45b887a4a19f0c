import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Device } from '../device.ts'
import { ExitMemory } from '../quarantine.ts'
import type { Balancer } from './balancer.ts'
import { balancers } from './index.ts'

const fleetOf = (size: number): Device[] =>
  Array.from({ length: size }, (_, index) => {
    const facts = { id: `d${index}`, name: `d${index}`, weight: 1, tags: [], operator: null, region: null, type: 'generic' }
    const device = new Device(facts, new ExitMemory(`d${index}`))
    device.readyIndex = index
    return device
  })

/** A generator of random numbers that a test can repeat. */
const seeded = (seed: number) => () => {
  seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
  return seed / 2 ** 32
}

const everyone = () => true
const take = (balancer: Balancer, ready: Device[]): Device => {
  const device = balancer.pick({ ready, isEligible: everyone })
  if (device === undefined) throw new Error('nobody was picked')
  device.inFlight++
  return device
}

describe.each(Object.entries(balancers))('%s', (_name, create) => {
  test('picks nobody from nobody, and only the eligible', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 120 }), fc.integer(), (eligibility, seed) => {
        const ready = fleetOf(eligibility.length)
        const isEligible = (device: Device) => eligibility[device.readyIndex] === true
        const picked = create(seeded(seed)).pick({ ready, isEligible })
        expect(picked === undefined).toBe(!eligibility.includes(true))
        if (picked !== undefined) expect(isEligible(picked)).toBe(true)
      }),
    )
  })
})

describe('round-robin', () => {
  test('spreads exactly, whatever is in flight', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 20 }), (size, rounds) => {
        const ready = fleetOf(size)
        const balancer = balancers['round-robin'](Math.random)
        for (let i = 0; i < size * rounds; i++) take(balancer, ready)
        expect(new Set(ready.map(({ inFlight }) => inFlight))).toEqual(new Set([rounds]))
      }),
    )
  })

  test('passes over one that cannot take the request, without losing its turn order', () => {
    const ready = fleetOf(3)
    const balancer = balancers['round-robin'](Math.random)
    const ids = [0, 1, 2, 3].map(() => balancer.pick({ ready, isEligible: ({ id }) => id !== 'd1' })?.id)
    expect(ids).toEqual(['d0', 'd2', 'd0', 'd2'])
  })
})

describe('least-connections', () => {
  test('keeps devices within one of each other when none finishes first', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 500 }), (size, picks) => {
        const ready = fleetOf(size)
        const balancer = balancers['least-connections'](Math.random)
        for (let i = 0; i < picks; i++) take(balancer, ready)
        const counts = ready.map(({ inFlight }) => inFlight)
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
      }),
    )
  })

  test('goes round among equals when every request ends before the next', () => {
    const ready = fleetOf(4)
    const balancer = balancers['least-connections'](Math.random)
    const ids = Array.from({ length: 8 }, () => balancer.pick({ ready, isEligible: everyone })?.id)
    expect(ids).toEqual(['d0', 'd1', 'd2', 'd3', 'd0', 'd1', 'd2', 'd3'])
  })

  test('in a fleet too large to scan it looks at few, and stays nearly even', () => {
    const ready = fleetOf(1_000)
    const balancer = balancers['least-connections'](seeded(7))
    let looks = 0
    for (let i = 0; i < 20_000; i++) {
      const picked = balancer.pick({
        ready,
        isEligible: () => {
          looks++
          return true
        },
      })
      if (picked !== undefined) picked.inFlight++
    }
    expect(looks).toBe(20_000)
    expect(Math.max(...ready.map(({ inFlight }) => inFlight))).toBeLessThan(30)
  })

  test('finds the only free device of a large fleet by scanning', () => {
    const ready = fleetOf(1_000)
    expect(balancers['least-connections'](seeded(1)).pick({ ready, isEligible: ({ id }) => id === 'd777' })?.id).toBe('d777')
  })
})

describe('random', () => {
  test('gives every device about the same', () => {
    const ready = fleetOf(10)
    const balancer = balancers.random(seeded(3))
    for (let i = 0; i < 10_000; i++) take(balancer, ready)
    for (const { inFlight } of ready) expect(Math.abs(inFlight - 1_000)).toBeLessThan(150)
  })
})
