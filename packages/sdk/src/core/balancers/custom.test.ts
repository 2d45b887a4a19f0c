import { describe, expect, test } from 'vitest'
import { Device } from '../device.ts'
import { Fleet } from '../fleet.ts'
import { ExitMemory } from '../quarantine.ts'
import { createBalancer } from './create-balancer.ts'
import type { BalancerCandidates, BalancerDevice, CustomBalancer } from './custom.ts'

function stageWith(pick: (candidates: BalancerCandidates) => unknown) {
  const troubles: string[] = []
  const balancer = createBalancer({ pick } as CustomBalancer, Math.random, (error) => troubles.push(error.message))
  const fleet = new Fleet({
    joined: () => {},
    left: () => {},
    opened: (device) => balancer.opened?.(device),
    closed: (device) => balancer.closed?.(device),
    wentDown: () => {},
    changed: () => {},
  })
  const devices = ['seoul-01', 'omsk-05', 'busan-03'].map((id) => {
    const facts = { id, name: id, weight: 2, tags: ['farm-1'], operator: 'MTS', region: null, type: 'android' }
    const device = new Device(facts, new ExitMemory(id))
    device.online = true
    fleet.add(device)
    return device
  })
  const choose = (isEligible: (device: Device) => boolean = () => true) =>
    balancer.pick({ open: fleet.open, site: 'shop.com', hashKey: 'account-42', isSelective: false, isEligible })?.id
  return { troubles, fleet, devices, choose }
}

test('sees the devices with room as they are now, the site and the key, and its choice counts', () => {
  let seen: BalancerCandidates | undefined
  const { devices, choose, troubles } = stageWith((candidates) => {
    seen = candidates
    return candidates.devices.find(({ name }) => name === 'omsk-05')
  })
  expect(choose()).toBe('omsk-05')
  expect(seen).toMatchObject({ site: 'shop.com', hashKey: 'account-42' })
  const [seoul] = seen?.devices ?? []
  expect({ ...pickFields(seoul) }).toEqual({
    id: 'seoul-01',
    name: 'seoul-01',
    exitIp: null,
    weight: 2,
    inFlight: 0,
    tags: ['farm-1'],
    operator: 'MTS',
    region: null,
    type: 'android',
  })
  if (devices[0] !== undefined) devices[0].inFlight = 7
  expect(seoul?.inFlight).toBe(7)
  expect(troubles).toEqual([])
})

test('is shown no device that is down, and again when it is back', () => {
  const shown: string[][] = []
  const { devices, choose, fleet } = stageWith(({ devices: all, eligible }) => {
    shown.push(all.map(({ id }) => id).sort())
    return eligible()[0]
  })
  const [seoul] = devices as [Device]
  choose()
  seoul.online = false
  fleet.place(seoul)
  choose()
  seoul.online = true
  fleet.place(seoul)
  choose()
  expect(shown).toEqual([
    ['busan-03', 'omsk-05', 'seoul-01'],
    ['busan-03', 'omsk-05'],
    ['busan-03', 'omsk-05', 'seoul-01'],
  ])
})

test('is not asked when no device may take the request', () => {
  let asked = 0
  const { choose, troubles } = stageWith(() => asked++)
  expect(choose(() => false)).toBeUndefined()
  expect([asked, troubles]).toEqual([0, []])
})

describe('what it does wrong is said, and the pool chooses an eligible device itself', () => {
  let kept: BalancerDevice | undefined
  const cases: [string, (candidates: BalancerCandidates) => unknown, string][] = [
    [
      'throws',
      () => {
        throw new Error('out of luck')
      },
      'out of luck',
    ],
    ['returns nothing', () => undefined, "the balancer's pick() returned undefined instead of one of the devices it was given"],
    [
      'returns an id',
      ({ devices }) => devices[0]?.id,
      "the balancer's pick() returned seoul-01 instead of one of the devices it was given",
    ],
    [
      'returns a promise',
      async ({ devices }) => devices[0],
      "the balancer's pick() returned a promise instead of one of the devices it was given",
    ],
    [
      'returns a copy',
      ({ devices }) => ({ ...devices[0] }),
      "the balancer's pick() returned an object instead of one of the devices it was given",
    ],
    [
      'chooses one that may not',
      ({ devices }) => devices.find(({ id }) => id === 'seoul-01'),
      "the balancer's pick() chose seoul-01, which may not take this request for shop.com: ask isEligible first",
    ],
  ]
  test.each(cases)('%s', (_what, pick, message) => {
    const { choose, troubles } = stageWith(pick)
    expect(['omsk-05', 'busan-03']).toContain(choose(({ id }) => id !== 'seoul-01'))
    expect(troubles).toEqual([message])
  })

  test('chooses one that has gone meanwhile', () => {
    const { choose, troubles, devices, fleet } = stageWith(({ devices: all }) => {
      kept ??= all.find(({ id }) => id === 'busan-03')
      return kept
    })
    expect(choose()).toBe('busan-03')
    const busan = devices[2] as Device
    busan.online = false
    fleet.place(busan)
    expect(['seoul-01', 'omsk-05']).toContain(choose())
    expect(troubles).toHaveLength(1)
  })
})

test('may be made by a function, which is called once; one that makes something else is refused', () => {
  let made = 0
  const balancer = createBalancer(
    () => {
      made++
      return { pick: ({ eligible }) => eligible()[0] as BalancerDevice }
    },
    Math.random,
    () => {},
  )
  expect([typeof balancer.pick, made]).toEqual(['function', 1])
  expect(() => createBalancer((() => ({})) as unknown as () => CustomBalancer, Math.random, () => {})).toThrow(
    'balancer: the function must return an object with a method pick',
  )
})

const pickFields = (device: BalancerDevice | undefined) =>
  device === undefined
    ? undefined
    : {
        id: device.id,
        name: device.name,
        exitIp: device.exitIp,
        weight: device.weight,
        inFlight: device.inFlight,
        tags: device.tags,
        operator: device.operator,
        region: device.region,
        type: device.type,
      }
