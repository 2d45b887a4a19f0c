import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Applicant } from './admission-queue.ts'
import { balancers } from './balancers/index.ts'
import type { BalancerName } from './balancers/names.ts'
import type { Device } from './device.ts'
import { type CoreSettings, PoolCore } from './pool-core.ts'
import { PLAIN_VIEW, type View } from './view.ts'

const PER_SITE = 2

const settings: CoreSettings = {
  limits: { concurrency: 3, requestsPerMinute: 600, burst: 4, concurrentPerSite: PER_SITE },
  queue: { timeoutMs: 1_000, max: 2_000 },
  ejection: { consecutive: 2, baseMs: 100, maxMs: 400, maxShare: 0.5, successRate: null },
  quarantine: { quarantineMs: 12_000 },
}

const unlimited: CoreSettings = { ...settings, limits: { concurrency: 1, requestsPerMinute: null, burst: 1, concurrentPerSite: null } }

let orders = 0
const request = (site = 'shop.com', view: Partial<View> = {}, tried: Device[] = []): Applicant => ({
  site,
  order: ++orders,
  tried,
  view: { ...PLAIN_VIEW, ...view },
})

const factsOf = (id: string) => ({ id, name: id, weight: 1, tags: [], operator: null, region: null, type: 'generic' })

function poolOf(size: number, changes: CoreSettings = unlimited, balancer: BalancerName = 'least-connections') {
  const core = new PoolCore<Applicant>(changes, balancers[balancer](Math.random))
  core.setMayGrow(false)
  const devices = Array.from({ length: size }, (_, index) => {
    const device = core.addDevice(factsOf(`d${index}`), `10.0.0.${index}`, 0)
    core.setOnline(device, true)
    return device
  })
  return { core, devices }
}

/** Every rule of who may get which device when, asked of one pair, the slow way. */
function mayServe(device: Device, applicant: Applicant, fleet: readonly Device[], at: number): boolean {
  const isUp = (each: Device) => each.online && !each.rotating && (each.rest === null || each.rest.until <= at)
  const suits = (each: Device) =>
    isUp(each) && applicant.view.accepts?.(each) !== false && each.exit.quarantinedUntil(applicant.site, at) === 0
  const mayReuse = !fleet.some((each) => suits(each) && !applicant.tried.includes(each))
  const onProbation = device.probing || (device.rest?.reason === 'ejected' && device.rest.until <= at)
  return (
    suits(device) &&
    device.inFlight < (onProbation ? 1 : 3) &&
    device.nextCellAt <= at &&
    (device.inFlightBySite?.get(applicant.site) ?? 0) < PER_SITE &&
    (mayReuse || !applicant.tried.includes(device))
  )
}

describe.each(Object.keys(balancers) as BalancerName[])('with %s', (balancer) => {
  const step = fc.record({
    kind: fc.constantFrom(
      'ask',
      'ask',
      'ask',
      'ask',
      'release',
      'release',
      'online',
      'rotate',
      'ban',
      'lift',
      'exit',
      'fault',
      'complete',
      'wait',
      'abort',
    ),
    which: fc.nat(1_000),
    site: fc.nat(2),
    view: fc.nat(3),
    tried: fc.array(fc.nat(4), { maxLength: 2 }),
    ms: fc.nat(400),
  })

  test('nobody waits for what is there, the alarm is never late, and every request gets one answer', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(step, { maxLength: 150 }), (size, steps) => {
        const { core, devices } = poolOf(size, settings, balancer)
        const views: Partial<View>[] = [
          {},
          { priority: 1 },
          { accepts: (device) => device === devices[0] },
          { queueTimeoutMs: 300, priority: -1 },
        ]
        const waiting = new Set<Applicant>()
        const underWay: { device: Device; site: string }[] = []
        let now = 0

        const assigned = (applicant: Applicant, device: Device) => {
          expect([device.online, device.rotating, device.rest]).toEqual([true, false, null])
          expect(device.inFlight).toBeLessThanOrEqual(
            device.probing ? Math.max(1, underWay.filter((each) => each.device === device).length + 1) : 3,
          )
          expect(device.exit.quarantinedUntil(applicant.site, now)).toBe(0)
          underWay.push({ device, site: applicant.site })
        }
        const serve = () => {
          for (const { applicant, device } of core.serveWaiting(now)) {
            expect(waiting.delete(applicant)).toBe(true)
            assigned(applicant, device)
          }
        }

        for (const { kind, which, site: siteNumber, view, tried, ms } of steps) {
          const device = devices[which % size] as Device
          const site = `${siteNumber}.com`
          if (kind === 'ask') {
            const applicant = request(site, views[view], [...new Set(tried.flatMap((index) => devices[index] ?? []))])
            const decision = core.admit(applicant, now)
            if (decision.kind === 'assigned') assigned(applicant, decision.device)
            else if (decision.kind === 'wait') waiting.add(applicant)
          } else if (kind === 'release') {
            const [over] = underWay.splice(which % Math.max(1, underWay.length), 1)
            if (over !== undefined) core.release(over.device, over.site)
          } else if (kind === 'online') core.setOnline(device, !device.online)
          else if (kind === 'rotate') core.setRotating(device, !device.rotating)
          else if (kind === 'ban') core.quarantine.ban(device.exit, site, ms * 3, now)
          else if (kind === 'lift') core.quarantine.lift(device.exit, site, now)
          else if (kind === 'exit') core.setExitIp(device, which % 2 === 0 ? `10.0.0.${which % 7}` : null, now)
          else if (kind === 'fault') core.judge.noteAttemptEnd({ device, exit: device.exit, kind: 'device_connect' }, now)
          else if (kind === 'complete') core.judge.noteComplete(device)
          else if (kind === 'abort') {
            const [gone] = waiting
            if (gone !== undefined) {
              expect(core.withdraw(gone)).toBe(true)
              waiting.delete(gone)
            }
          } else {
            // The clock goes on as the engine lets it: alarm by alarm.
            const until = now + ms
            while (now < until) {
              now = Math.max(now, Math.min(until, core.wakeAt()))
              const { served, late } = core.tick(now)
              for (const { applicant, device: given } of served) {
                expect(waiting.delete(applicant)).toBe(true)
                assigned(applicant, given)
              }
              for (const applicant of late) expect(waiting.delete(applicant)).toBe(true)
              if (now < until) expect(core.wakeAt()).toBeGreaterThan(now)
            }
          }
          serve()
          expect(core.queued).toBe(waiting.size)
          const justBefore = Math.min(core.wakeAt(), now + 5_000) - 0.001
          for (const at of [now, Math.max(now, justBefore)]) {
            const pairs = [...waiting].flatMap((applicant) => devices.map((each) => mayServe(each, applicant, devices, at)))
            expect(pairs).not.toContain(true)
          }
        }
      }),
      { numRuns: 200 },
    )
  })
})

describe('priority', () => {
  const served = (core: PoolCore<Applicant>, device: Device, times: number): Applicant[] =>
    Array.from({ length: times }, () => {
      core.release(device, 'shop.com')
      const [next] = core.serveWaiting(0)
      return next?.applicant
    }).filter((applicant) => applicant !== undefined)

  test('goes first, and every eighth time whoever has waited longest is served, so that nobody starves', () => {
    const { core, devices } = poolOf(1)
    const device = devices[0] as Device
    core.admit(request(), 0)
    const low = Array.from({ length: 20 }, () => request())
    for (const each of low) core.admit(each, 0)
    const high = Array.from({ length: 200 }, () => request('shop.com', { priority: 10 }))
    for (const each of high) core.admit(each, 0)
    const order = served(core, device, 80)
    expect(order.filter((each) => each.view.priority === 0)).toEqual(low.slice(0, 10))
    expect(order.filter((each) => each.view.priority === 10)).toEqual(high.slice(0, 70))
  })

  test('does not matter among equals: first come, first served', () => {
    const { core, devices } = poolOf(1)
    core.admit(request(), 0)
    const all = Array.from({ length: 50 }, (_, index) => request(`${index % 7}.com`, { priority: 3 }))
    for (const each of all) core.admit(each, 0)
    expect(served(core, devices[0] as Device, 50)).toEqual(all)
  })
})

describe('who waits is served', () => {
  test('when a quarantine is lifted', () => {
    const { core, devices } = poolOf(1)
    const [device] = devices as [Device]
    core.quarantine.ban(device.exit, 'shop.com', 900, 0)
    const waiting = request()
    expect(core.admit(waiting, 0).kind).toBe('wait')
    expect(core.serveWaiting(1)).toEqual([])
    core.quarantine.lift(device.exit, 'shop.com', 2)
    expect(core.serveWaiting(2)).toEqual([{ applicant: waiting, device }])
  })

  /** A request that failed on the idle device and waits for the busy one. */
  function waitingForTheOther() {
    const pool = poolOf(2)
    const [idle, busy] = pool.devices as [Device, Device]
    pool.core.setOnline(idle, false)
    pool.core.admit(request('other.com'), 0)
    pool.core.setOnline(idle, true)
    const waiting = request('shop.com', {}, [idle])
    expect(pool.core.admit(waiting, 0).kind).toBe('wait')
    expect(pool.core.serveWaiting(0)).toEqual([])
    return { core: pool.core, idle, busy, waiting }
  }

  test('by the device that failed it when the only other one goes', () => {
    const { core, idle, busy, waiting } = waitingForTheOther()
    core.setOnline(busy, false)
    expect(core.serveWaiting(0)).toEqual([{ applicant: waiting, device: idle }])
  })

  test('by the device that failed it when the only other one is banned', () => {
    const { core, idle, busy, waiting } = waitingForTheOther()
    core.quarantine.ban(busy.exit, 'shop.com', 5_000, 0)
    expect(core.serveWaiting(0)).toEqual([{ applicant: waiting, device: idle }])
  })

  test('when the device gets another exit IP', () => {
    const { core, devices } = poolOf(1)
    const [device] = devices as [Device]
    core.quarantine.ban(device.exit, 'shop.com', 900, 0)
    const waiting = request()
    core.admit(waiting, 0)
    core.setExitIp(device, '10.9.9.9', 1)
    expect(core.serveWaiting(1)).toEqual([{ applicant: waiting, device }])
  })
})

describe('many devices and many who wait', () => {
  /** Counts how often a request's choice of devices is asked: what every look at a pair costs at least. */
  function counted(size: number) {
    const { core, devices } = poolOf(size)
    let looks = 0
    const accepts = () => {
      looks++
      return true
    }
    return { core, devices, view: { accepts }, looks: () => looks }
  }

  test('a device that becomes free is held against the first who waits, not against the queue', () => {
    const { core, devices, view, looks } = counted(100)
    for (const _ of devices) core.admit(request(), 0)
    for (let i = 0; i < 1_000; i++) core.admit(request(`${i}.com`, view), 0)
    const before = looks()
    for (let i = 0; i < 1_000; i++) {
      core.release(devices[i % 100] as Device, 'shop.com')
      expect(core.serveWaiting(0)).toHaveLength(1)
    }
    expect(looks() - before).toBeLessThanOrEqual(2 * 1_000)
  })

  test('who has to wait costs no look at a device once somebody waits for the same', () => {
    const { core, devices, view, looks } = counted(1_000)
    for (const _ of devices) core.admit(request(), 0)
    core.admit(request('shop.com', view), 0)
    const before = looks()
    for (let i = 0; i < 1_000; i++) expect(core.admit(request('shop.com', view), 0).kind).toBe('wait')
    expect(looks() - before).toBe(0)
  })

  test('requests for a banned site do not slow down the others', () => {
    const { core, devices, view, looks } = counted(1_000)
    for (const device of devices) core.quarantine.ban(device.exit, 'hard.com', 900, 0)
    for (let i = 0; i < 1_000; i++) core.admit(request('hard.com', view), 0)
    const taken = devices.map(() => core.admit(request(), 0))
    expect(new Set(taken.map(({ kind }) => kind))).toEqual(new Set(['assigned']))
    const before = looks()
    for (let i = 0; i < 1_000; i++) {
      core.release(devices[i] as Device, 'shop.com')
      expect(core.serveWaiting(0)).toEqual([])
      expect(core.admit(request(), 0).kind).toBe('assigned')
    }
    expect(looks() - before).toBeLessThanOrEqual(3 * 1_000)
    expect(core.wakeAt()).toBe(900)
    for (const device of devices) core.release(device, 'shop.com')
    expect(core.tick(900).served).toHaveLength(1_000)
  })

  test('the first list of devices serves all who waited for it, spread by the balancer', () => {
    const core = new PoolCore<Applicant>(unlimited, balancers['ip-hash'](Math.random))
    const keys = Array.from({ length: 50 }, (_, index) => `account-${index}`)
    for (const hashKey of keys) expect(core.admit(request('shop.com', { hashKey }), 0).kind).toBe('wait')
    for (let i = 0; i < 200; i++) core.setOnline(core.addDevice(factsOf(`d${i}`), `10.0.0.${i}`, 0), true)
    const first = core.serveWaiting(0)
    expect(first).toHaveLength(50)
    for (const { device } of first) core.release(device, 'shop.com')
    const kept = keys.filter((hashKey, index) => {
      const decision = core.admit(request('shop.com', { hashKey }), 0)
      return decision.kind === 'assigned' && decision.device === first[index]?.device
    })
    // Each device takes one request here, so that two keys of one device cannot both have it.
    expect(kept.length).toBe(50)
  })
})
