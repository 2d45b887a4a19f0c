import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Device } from '../device.ts'
import { Fleet } from '../fleet.ts'
import { ExitMemory } from '../quarantine.ts'
import type { Balancer } from './balancer.ts'
import { balancers } from './index.ts'

/** A generator of random numbers that a test can repeat. */
const seeded = (seed: number) => () => {
  seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
  return seed / 2 ** 32
}

const everyone = () => true

/** A fleet whose devices have these weights, and a balancer that is told of it. */
class Stage {
  readonly fleet: Fleet
  readonly devices: Device[] = []
  readonly balancer: Balancer

  constructor(balancer: Balancer, weights: readonly number[], concurrency = Number.POSITIVE_INFINITY) {
    this.balancer = balancer
    this.fleet = new Fleet({
      joined: (device) => balancer.joined?.(device),
      left: (device) => balancer.left?.(device),
      opened: (device) => balancer.opened?.(device),
      closed: (device) => balancer.closed?.(device),
      wentDown: () => {},
      changed: () => {},
    })
    for (const [index, weight] of weights.entries()) this.join(`d${index}`, weight, concurrency)
  }

  join(id: string, weight = 1, concurrency = Number.POSITIVE_INFINITY): Device {
    const facts = { id, name: id, weight, tags: [], operator: null, region: null, type: 'generic' }
    const device = new Device(facts, new ExitMemory(id), { concurrency, cellMs: 0, burstMs: 0 })
    device.online = true
    this.devices.push(device)
    this.fleet.add(device)
    return device
  }

  setOnline(device: Device, online: boolean): void {
    device.online = online
    this.fleet.place(device)
  }

  pick(isEligible: (device: Device) => boolean = everyone, hashKey = 'shop.com', isSelective = false): Device | undefined {
    return this.balancer.pick({ open: this.fleet.open, site: 'shop.com', hashKey, isSelective, isEligible })
  }

  take(isEligible: (device: Device) => boolean = everyone, hashKey?: string): Device {
    const device = this.pick(isEligible, hashKey)
    if (device === undefined) throw new Error('nobody was picked')
    device.inFlight++
    device.requests++
    this.fleet.began(device)
    return device
  }

  release(device: Device): void {
    device.inFlight--
    this.fleet.ended(device)
  }

  get requests(): number[] {
    return this.devices.map(({ requests }) => requests)
  }
}

const same = (size: number): number[] => Array.from({ length: size }, () => 1)
const spread = (counts: readonly number[]): number => Math.max(...counts) - Math.min(...counts)

describe.each(Object.entries(balancers))('%s', (_name, create) => {
  test('picks nobody from nobody, and only the eligible with room', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ isUp: fc.boolean(), mayServe: fc.boolean() }), { maxLength: 120 }),
        fc.integer({ min: 0 }),
        fc.array(fc.boolean(), { maxLength: 5 }),
        (fleet, seed, picks) => {
          const stage = new Stage(create(seeded(seed)), same(fleet.length))
          for (const [index, device] of stage.devices.entries()) stage.setOnline(device, fleet[index]?.isUp === true)
          const isEligible = (device: Device) => fleet[Number(device.id.slice(1))]?.mayServe === true
          for (const isSelective of picks) {
            const picked = stage.pick(isEligible, 'a', isSelective)
            expect(picked === undefined).toBe(!fleet.some(({ isUp, mayServe }) => isUp && mayServe))
            if (picked !== undefined) expect([picked.online, isEligible(picked)]).toEqual([true, true])
          }
        },
      ),
    )
  })

  test('uses all the room that there is, and no more, while devices come and go', () => {
    const step = fc.record({ kind: fc.constantFrom('take', 'take', 'take', 'release', 'flip'), which: fc.nat(1_000) })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 80 }), fc.array(step, { maxLength: 300 }), fc.nat(), (size, steps, seed) => {
        const stage = new Stage(
          create(seeded(seed)),
          Array.from({ length: size }, (_, index) => 1 + (index % 3)),
          2,
        )
        for (const { kind, which } of steps) {
          const device = stage.devices[which % size] as Device
          if (kind === 'flip') stage.setOnline(device, !device.online)
          else if (kind === 'release' && device.inFlight > 0) stage.release(device)
          else if (kind === 'take') {
            const hasRoom = stage.devices.some(({ online, inFlight }) => online && inFlight < 2)
            const picked = stage.pick()
            expect(picked !== undefined).toBe(hasRoom)
            if (picked === undefined) continue
            expect([picked.online, picked.inFlight < 2]).toEqual([true, true])
            picked.inFlight++
            stage.fleet.began(picked)
          }
        }
      }),
      { numRuns: 50 },
    )
  })
})

describe('round-robin', () => {
  test('spreads exactly, whatever is in flight and in whatever order requests end', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 20 }), fc.integer({ min: 0 }), (size, rounds, seed) => {
        const random = seeded(seed)
        const stage = new Stage(balancers['round-robin'](random), same(size), rounds)
        const busy: Device[] = []
        for (let i = 0; i < size * rounds; i++) {
          busy.push(stage.take())
          if (random() < 0.5) stage.release(busy.splice(Math.floor(random() * busy.length), 1)[0] as Device)
        }
        expect(spread(stage.requests)).toBe(0)
      }),
    )
  })

  test('passes over one that cannot take the request, which keeps its turn', () => {
    const stage = new Stage(balancers['round-robin'](Math.random), same(3))
    const withoutD1 = ({ id }: Device) => id !== 'd1'
    expect([0, 1, 2, 3].map(() => stage.pick(withoutD1)?.id)).toEqual(['d0', 'd2', 'd0', 'd2'])
    expect(stage.pick()?.id).toBe('d1')
  })

  test('requests that take one device only do not shift the turns of the others', () => {
    const stage = new Stage(balancers['round-robin'](Math.random), same(100))
    for (let i = 0; i < 990; i++) {
      stage.pick(({ id }) => id === 'd70', 'a', true)
      stage.take(({ id }) => id !== 'd70')
    }
    const others = stage.requests.filter((_, index) => index !== 70)
    expect(spread(others)).toBe(0)
  })

  test('a fleet of which half is out for a site is not walked over for every request', () => {
    const stage = new Stage(balancers['round-robin'](Math.random), same(10_000))
    let looks = 0
    for (let i = 0; i < 5_000; i++) {
      stage.pick((device) => {
        looks++
        return Number(device.id.slice(1)) >= 5_000
      })
    }
    expect(looks).toBeLessThan(5_000 * 3)
  })
})

describe('least-connections', () => {
  test('keeps devices within one of each other when none finishes first', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 500 }), (size, picks) => {
        const stage = new Stage(balancers['least-connections'](Math.random), same(size))
        for (let i = 0; i < picks; i++) stage.take()
        expect(spread(stage.devices.map(({ inFlight }) => inFlight))).toBeLessThanOrEqual(1)
      }),
    )
  })

  test('with equal service times, devices stay within one of each other in requests and in flight', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 200 }), (size, concurrency) => {
        const stage = new Stage(balancers['least-connections'](Math.random), same(size))
        const underWay: Device[] = []
        for (let i = 0; i < 1_000; i++) {
          underWay.push(stage.take())
          if (underWay.length > concurrency) stage.release(underWay.shift() as Device)
          expect(spread(stage.devices.map(({ inFlight }) => inFlight))).toBeLessThanOrEqual(1)
        }
        expect(spread(stage.requests)).toBeLessThanOrEqual(1)
      }),
      { numRuns: 30 },
    )
  })

  test('goes round among equals when every request ends before the next', () => {
    const stage = new Stage(balancers['least-connections'](Math.random), same(4))
    expect(Array.from({ length: 8 }, () => stage.pick()?.id)).toEqual(['d0', 'd1', 'd2', 'd3', 'd0', 'd1', 'd2', 'd3'])
  })

  test('a device of weight 3 holds three times as many', () => {
    const stage = new Stage(balancers['least-connections'](Math.random), [3, 1, 1, 1])
    for (let i = 0; i < 60; i++) stage.take()
    expect(stage.devices.map(({ inFlight }) => inFlight)).toEqual([30, 10, 10, 10])
  })

  test('in a fleet too large to scan it looks at few, and stays nearly even', () => {
    const stage = new Stage(balancers['least-connections'](seeded(7)), same(1_000))
    let looks = 0
    for (let i = 0; i < 20_000; i++) {
      stage.take(() => {
        looks++
        return true
      })
    }
    expect(looks).toBe(20_000)
    expect(Math.max(...stage.requests)).toBeLessThan(30)
  })

  test('finds the only eligible device of a large fleet', () => {
    const stage = new Stage(balancers['least-connections'](seeded(1)), same(1_000))
    expect(stage.pick(({ id }) => id === 'd777')?.id).toBe('d777')
  })
})

describe('random', () => {
  test('gives every device about the same', () => {
    const stage = new Stage(balancers.random(seeded(3)), same(10))
    for (let i = 0; i < 10_000; i++) stage.take()
    for (const requests of stage.requests) expect(Math.abs(requests - 1_000)).toBeLessThan(150)
  })
})

describe('weighted', () => {
  const weights = fc.array(fc.double({ min: 0.1, max: 20, noNaN: true }), { minLength: 1, maxLength: 40 })

  test('gives each device its share within 2 % of all, over 10,000 picks; and within two requests', () => {
    fc.assert(
      fc.property(weights, (all) => {
        const stage = new Stage(balancers.weighted(Math.random), all)
        for (let i = 0; i < 10_000; i++) stage.take()
        const sum = all.reduce((total, weight) => total + weight, 0)
        for (const [index, weight] of all.entries()) {
          const due = (10_000 * weight) / sum
          expect(Math.abs((stage.requests[index] as number) - due)).toBeLessThanOrEqual(Math.max(2, 0.02 * due))
        }
      }),
      { numRuns: 30 },
    )
  })

  test('gives each device its share among 2,000 devices of ten weights', () => {
    const all = Array.from({ length: 2_000 }, (_, index) => 1 + (index % 10))
    const stage = new Stage(balancers.weighted(Math.random), all)
    for (let i = 0; i < 22_000; i++) stage.take()
    const off = all.map((weight, index) => Math.abs((stage.requests[index] as number) - 2 * weight))
    expect(Math.max(...off)).toBeLessThanOrEqual(1)
  })

  test('is smooth: nobody gets its share in one run', () => {
    const stage = new Stage(balancers.weighted(Math.random), [5, 1, 1])
    const ids = Array.from({ length: 14 }, () => stage.take().id)
    const runs = ids.join('').match(/(d0)+/g) ?? []
    expect(stage.requests).toEqual([10, 2, 2])
    expect(Math.max(...runs.map((run) => run.length / 2))).toBeLessThanOrEqual(4)
  })

  test('the rest share by weight while one is out, and one that comes back makes up for nothing', () => {
    const stage = new Stage(balancers.weighted(Math.random), [4, 2, 1])
    const [first] = stage.devices as [Device, Device, Device]
    stage.setOnline(first, false)
    for (let i = 0; i < 3_000; i++) stage.take()
    expect(stage.requests).toEqual([0, 2_000, 1_000])
    stage.setOnline(first, true)
    for (let i = 0; i < 7; i++) stage.take()
    expect(stage.requests[0]).toBeLessThanOrEqual(5)
  })

  test('a share that nobody may take for now does not hold up the others', () => {
    const stage = new Stage(balancers.weighted(Math.random), [4, 2, 1])
    for (let i = 0; i < 300; i++) stage.take(({ id }) => id !== 'd0')
    expect(stage.requests).toEqual([0, 200, 100])
  })
})

describe.each([
  ['scored', 10],
  ['scored', 64],
  ['placed', 65],
  ['placed', 400],
])('ip-hash, %s, %i devices', (_way, size) => {
  const keys = Array.from({ length: 5_000 }, (_, index) => `account-${index}`)
  const owners = (stage: Stage) => keys.map((key) => stage.pick(everyone, key))

  test('gives the same key to the same device, and each device about the same number of keys', () => {
    const stage = new Stage(balancers['ip-hash'](Math.random), same(size))
    const before = owners(stage)
    expect(owners(stage)).toEqual(before)
    const counts = stage.devices.map((device) => before.filter((owner) => owner === device).length)
    const due = keys.length / size
    // Five standard deviations of what falls into one of n places by chance.
    for (const count of counts) expect(Math.abs(count - due)).toBeLessThan(5 * Math.sqrt(due) + 1)
  })

  test('when one of n devices leaves, its keys move and no others: about 1/n', () => {
    const stage = new Stage(balancers['ip-hash'](Math.random), same(size))
    const before = owners(stage)
    for (const leaving of [stage.devices[0], stage.devices[Math.floor(size / 2)]] as Device[]) {
      const current = owners(stage)
      stage.setOnline(leaving, false)
      stage.fleet.remove(leaving)
      for (const [index, owner] of owners(stage).entries()) {
        if (current[index] === leaving) expect(owner).not.toBe(leaving)
        else expect(owner).toBe(current[index])
      }
    }
    expect(before.filter((owner) => owner === stage.devices[0]).length / keys.length).toBeLessThan(2 / size + 0.02)
  })

  test('keys of a device that is out, full or not for them move only while it is', () => {
    const stage = new Stage(balancers['ip-hash'](Math.random), same(size))
    const before = owners(stage)
    const out = before[0] as Device
    stage.setOnline(out, false)
    const meanwhile = owners(stage)
    for (const [index, owner] of meanwhile.entries()) expect(owner === before[index]).toBe(before[index] !== out)
    // They do not all go to one other device.
    const refuges = new Set(meanwhile.filter((_, index) => before[index] === out))
    if (size <= 65) expect(refuges.size).toBeGreaterThan(3)
    stage.setOnline(out, true)
    expect(owners(stage)).toEqual(before)
    expect(stage.pick((device) => device !== out, keys[0])).toBe(meanwhile[0])
  })

  test('a device that joins takes keys from all, and nothing else moves', () => {
    const stage = new Stage(balancers['ip-hash'](Math.random), same(size))
    if (size === 64) return
    const before = owners(stage)
    const joined = stage.join('late')
    for (const [index, owner] of owners(stage).entries()) if (owner !== joined) expect(owner).toBe(before[index])
    expect(owners(stage)).toContain(joined)
  })
})

test('ip-hash of small fleets depends on ids alone: two processes agree', () => {
  const one = new Stage(balancers['ip-hash'](Math.random), same(20))
  const other = new Stage(balancers['ip-hash'](Math.random), [])
  for (const { id } of [...one.devices].reverse()) other.join(id)
  for (let i = 0; i < 200; i++) expect(one.pick(everyone, `k${i}`)?.id).toBe(other.pick(everyone, `k${i}`)?.id)
})
