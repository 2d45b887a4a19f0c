import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Applicant } from './admission-queue.ts'
import { balancers } from './balancers/index.ts'
import type { Device } from './device.ts'
import { cellsLeft, type LimitSettings, type OwnLimits } from './limits.ts'
import { PoolCore } from './pool-core.ts'
import { PLAIN_VIEW } from './view.ts'

let orders = 0
const request = (site = 'shop.com'): Applicant => ({ site, order: ++orders, tried: [], view: PLAIN_VIEW })

function poolWith(limits: Partial<LimitSettings>, own: (OwnLimits | undefined)[] = [undefined]) {
  const core = new PoolCore<Applicant>(
    {
      limits: { concurrency: 1_000, requestsPerMinute: null, burst: 1, concurrentPerSite: null, ...limits },
      queue: { timeoutMs: 600_000, max: 10_000 },
      ejection: null,
      quarantine: { quarantineMs: 1_000 },
    },
    balancers['round-robin'](Math.random),
  )
  core.setMayGrow(false)
  const devices = own.map((its, index) => {
    const id = `d${index}`
    const device = core.addDevice({ id, name: id, weight: 1, tags: [], operator: null, region: null, type: 'generic', limits: its }, id, 0)
    core.setOnline(device, true)
    return device
  })
  return { core, devices }
}

/** When each of so many requests begins that all come at once, alarm by alarm. */
function beginnings(core: PoolCore<Applicant>, requests: number, from = 0): number[] {
  const times: number[] = []
  for (let i = 0; i < requests; i++) if (core.admit(request(), from).kind === 'assigned') times.push(from)
  while (times.length < requests) {
    const now = core.wakeAt()
    expect(now).toBeLessThan(Number.POSITIVE_INFINITY)
    for (const _ of core.tick(now).served) times.push(now)
  }
  return times
}

describe('requests a minute', () => {
  test('begin evenly spaced, and who waits is woken exactly when the next may begin', () => {
    const { core } = poolWith({ requestsPerMinute: 60 })
    expect(beginnings(core, 4)).toEqual([0, 1_000, 2_000, 3_000])
  })

  test('a burst begins at once after a pause, and the pace is kept after it', () => {
    const { core } = poolWith({ requestsPerMinute: 60, burst: 3 })
    expect(beginnings(core, 5)).toEqual([0, 0, 0, 1_000, 2_000])
    expect(beginnings(core, 4, 60_000)).toEqual([60_000, 60_000, 60_000, 61_000])
  })

  test('in no minute are there more than the limit and the burst allow, however requests come', () => {
    const arrivals = fc.array(fc.nat(20_000), { minLength: 1, maxLength: 200 })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 10 }), arrivals, (requestsPerMinute, burst, gaps) => {
        const { core } = poolWith({ requestsPerMinute, burst })
        const times: number[] = []
        let now = 0
        for (const gap of gaps) {
          now += gap / 10
          for (const _ of core.tick(now).served) times.push(now)
          if (core.admit(request(), now).kind === 'assigned') times.push(now)
        }
        for (const [index, time] of times.entries()) {
          const inMinute = times.slice(index).filter((other) => other < time + 60_000 - 1e-6).length
          expect(inMinute).toBeLessThanOrEqual(requestsPerMinute + burst - 1)
        }
      }),
    )
  })

  test('go to another device while one is at its pace, and a device may have a pace and a concurrency of its own', () => {
    const { core, devices } = poolWith({ requestsPerMinute: 60 }, [undefined, { requestsPerMinute: 6_000 }, { concurrency: 1 }])
    expect(beginnings(core, 3)).toEqual([0, 0, 0])
    expect(devices.map(({ requests }) => requests)).toEqual([1, 1, 1])
    expect(beginnings(core, 2)).toEqual([10, 20])
    expect(devices.map(({ requests }) => requests)).toEqual([1, 3, 1])
    expect(core.admit(request(), 1_000).kind).toBe('assigned')
    expect(core.admit(request(), 1_000).kind).toBe('assigned')
    expect(devices[2]?.inFlight).toBe(1)
  })

  test('what is left of the pace can be told', () => {
    const { core, devices } = poolWith({ requestsPerMinute: 60, burst: 5 }, [undefined, {}])
    const [device] = devices as [Device]
    expect(cellsLeft(device, 0)).toBe(5)
    for (let i = 0; i < 6; i++) core.admit(request(), 0)
    expect(cellsLeft(device, 0)).toBe(2)
    expect(cellsLeft(device, 1_000)).toBe(3)
    expect(cellsLeft(device, 60_000)).toBe(5)
    expect(cellsLeft(poolWith({}).devices[0] as Device, 0)).toBe(Number.POSITIVE_INFINITY)
  })

  test('of a device that has left concern nobody', () => {
    const { core, devices } = poolWith({ requestsPerMinute: 60 }, [undefined, undefined])
    const [one, other] = devices as [Device, Device]
    for (let i = 0; i < 3; i++) core.admit(request(), 0)
    core.removeDevice(one)
    expect(core.tick(1_000).served.map(({ device }) => device)).toEqual([other])
    expect(core.fleet.open).toEqual([])
  })
})

describe('requests to one site on one device', () => {
  test('are limited; other sites are not affected, and who waits gets the place that becomes free', () => {
    const { core, devices } = poolWith({ concurrentPerSite: 2 })
    const [device] = devices as [Device]
    expect([1, 2, 3].map(() => core.admit(request(), 0).kind)).toEqual(['assigned', 'assigned', 'wait'])
    expect(core.admit(request('other.com'), 0).kind).toBe('assigned')
    core.release(device, 'other.com')
    expect(core.serveWaiting(0)).toEqual([])
    core.release(device, 'shop.com')
    expect(core.serveWaiting(0)).toHaveLength(1)
    core.release(device, 'shop.com')
    core.release(device, 'shop.com')
    expect(device.inFlightBySite?.size).toBe(0)
  })

  test('go to a device that has a place for the site', () => {
    const { core, devices } = poolWith({ concurrentPerSite: 1 }, [undefined, undefined, undefined])
    for (let i = 0; i < 3; i++) expect(core.admit(request(), 0).kind).toBe('assigned')
    expect(devices.map(({ inFlight }) => inFlight)).toEqual([1, 1, 1])
  })
})

test('a change of its limits holds at once', () => {
  const { core, devices } = poolWith({ concurrency: 1 })
  const [device] = devices as [Device]
  core.admit(request(), 0)
  const waiting = request()
  expect(core.admit(waiting, 0).kind).toBe('wait')
  core.setFacts(device, { ...device.facts, limits: { concurrency: 2 } })
  expect(core.serveWaiting(0).map(({ applicant }) => applicant)).toEqual([waiting])
})
