import { describe, expect, test } from 'vitest'
import type { Applicant } from './admission-queue.ts'
import { balancers } from './balancers/index.ts'
import type { Device } from './device.ts'
import type { JudgedAttempt } from './judge.ts'
import type { LimitSettings } from './limits.ts'
import { type CoreSettings, PoolCore } from './pool-core.ts'
import { PLAIN_VIEW } from './view.ts'

interface Request extends Applicant {
  readonly tried: Device[]
}

const limitedTo = (concurrency: number): LimitSettings => ({ concurrency, requestsPerMinute: null, burst: 1, concurrentPerSite: null })

const settings: CoreSettings = {
  limits: limitedTo(2),
  queue: { timeoutMs: 1_000, max: 5 },
  ejection: { consecutive: 3, baseMs: 100, maxMs: 400, maxShare: 0.5, successRate: null },
  quarantine: { quarantineMs: 60_000 },
}

let orders = 0
const request = (site = 'shop.com'): Request => ({ site, order: ++orders, tried: [], view: PLAIN_VIEW })

function coreWith(names: string[], changes: Partial<CoreSettings> = {}) {
  const core = new PoolCore<Request>({ ...settings, ...changes }, balancers['least-connections'](Math.random))
  core.setMayGrow(false)
  const devices = names.map((name, index) => {
    const facts = { id: name, name, weight: 1, tags: [], operator: null, region: null, type: 'generic' }
    const device = core.addDevice(facts, `10.0.0.${index}`, 0)
    core.setOnline(device, true)
    return device
  })
  return { core, devices }
}

const only = <Item>(items: readonly Item[]): Item => {
  if (items.length !== 1 || items[0] === undefined) throw new Error(`${items.length} items`)
  return items[0]
}

const attempt = (device: Device, kind: JudgedAttempt['kind']): JudgedAttempt => ({ device, exit: device.exit, kind })

describe('admission', () => {
  test('a device gets no more than its limit; who comes then waits, and is served in order', () => {
    const { core, devices } = coreWith(['seoul-01'])
    const device = only(devices)
    const [one, two, three, four] = [request(), request(), request(), request()]
    expect([one, two, three, four].map((each) => core.admit(each, 0).kind)).toEqual(['assigned', 'assigned', 'wait', 'wait'])
    core.release(device, 'shop.com')
    expect(core.serveWaiting(1).map(({ applicant }) => applicant)).toEqual([three])
    expect(core.serveWaiting(2)).toEqual([])
    core.release(device, 'shop.com')
    expect(only(core.serveWaiting(3)).applicant).toBe(four)
    expect(device.inFlight).toBe(2)
  })

  test('who has waited long enough is told so, and the alarm is set for that', () => {
    const { core, devices } = coreWith(['seoul-01'], { limits: limitedTo(1) })
    core.admit(request(), 0)
    const waiting = request()
    core.admit(waiting, 200)
    expect(core.wakeAt()).toBe(1_200)
    expect(core.tick(1_199).late).toEqual([])
    expect(core.tick(1_200).late).toEqual([waiting])
    expect(core.wakeAt()).toBe(Number.POSITIVE_INFINITY)
    expect(only(devices).inFlight).toBe(1)
  })

  test('a device that is away for a moment only is waited for; one that is away is not', () => {
    const { core, devices } = coreWith(['seoul-01'])
    const device = only(devices)
    core.setOnline(device, false, true)
    const waiting = request()
    expect(core.admit(waiting, 0).kind).toBe('wait')
    core.setOnline(device, true)
    expect(only(core.serveWaiting(1))).toMatchObject({ applicant: waiting })
    core.setOnline(device, false)
    expect(core.admit(request(), 2).kind).toBe('nothing')
  })

  test('a full queue takes nobody', () => {
    const { core } = coreWith(['seoul-01'], { limits: limitedTo(1), queue: { timeoutMs: 1_000, max: 1 } })
    expect([request(), request(), request()].map((each) => core.admit(each, 0).kind)).toEqual(['assigned', 'wait', 'full'])
  })

  test('a pool without devices says so at once, unless devices may still come', () => {
    const { core } = coreWith([])
    expect(core.admit(request(), 0).kind).toBe('nothing')
    core.setMayGrow(true)
    expect(core.admit(request(), 0).kind).toBe('wait')
  })

  test('who aborts leaves the queue', () => {
    const { core, devices } = coreWith(['seoul-01'], { limits: limitedTo(1) })
    core.admit(request(), 0)
    const waiting = request()
    core.admit(waiting, 0)
    expect(core.withdraw(waiting)).toBe(true)
    core.release(only(devices), 'shop.com')
    expect(core.serveWaiting(1)).toEqual([])
  })

  test('a device that failed the request is left out while another is up, and gets it again when none is', () => {
    const { core, devices } = coreWith(['seoul-01', 'omsk-05'])
    const [seoul, omsk] = devices as [Device, Device]
    const retried = { ...request(), tried: [seoul] }
    expect(core.admit(retried, 0)).toEqual({ kind: 'assigned', device: omsk })
    core.setOnline(omsk, false)
    expect(core.admit({ ...retried, tried: [seoul] }, 0)).toEqual({ kind: 'assigned', device: seoul })
  })

  test('while a device rotates, requests wait for it', () => {
    const { core, devices } = coreWith(['busan-03'])
    const busan = only(devices)
    core.setRotating(busan, true)
    const waiting = request()
    expect(core.admit(waiting, 0).kind).toBe('wait')
    core.setRotating(busan, false)
    expect(only(core.serveWaiting(10)).applicant).toBe(waiting)
  })
})

describe('quarantine', () => {
  test('a banned exit is not used for its site, and still for others', () => {
    const { core, devices } = coreWith(['seoul-01', 'omsk-05'])
    const [seoul, omsk] = devices as [Device, Device]
    core.judge.noteBan(attempt(omsk, 'banned'), 'shop.com', undefined, 0)
    for (let i = 0; i < 2; i++) expect(core.admit(request(), 0)).toEqual({ kind: 'assigned', device: seoul })
    expect(core.admit(request(), 0).kind).toBe('wait')
    expect(core.admit(request('other.com'), 0)).toEqual({ kind: 'assigned', device: omsk })
  })

  test('when every device is quarantined for longer than anybody waits, that is said, with the time', () => {
    const { core, devices } = coreWith(['omsk-05'])
    core.judge.noteBan(attempt(only(devices), 'banned'), 'shop.com', 30_000, 0)
    expect(core.admit(request(), 0)).toEqual({ kind: 'starved', until: 30_000 })
  })

  test('a short quarantine is waited out', () => {
    const { core, devices } = coreWith(['omsk-05'])
    core.judge.noteBan(attempt(only(devices), 'banned'), 'shop.com', 500, 0)
    const waiting = request()
    expect(core.admit(waiting, 0).kind).toBe('wait')
    expect(core.wakeAt()).toBe(500)
    expect(core.tick(499).served).toEqual([])
    expect(only(core.tick(500).served).applicant).toBe(waiting)
  })

  test('a new exit IP is clean, one that comes back is not', () => {
    const { core, devices } = coreWith(['omsk-05'])
    const omsk = only(devices)
    core.judge.noteBan(attempt(omsk, 'banned'), 'shop.com', 30_000, 0)
    core.setExitIp(omsk, '10.0.9.9', 0)
    expect(core.admit(request(), 0).kind).toBe('assigned')
    core.setExitIp(omsk, '10.0.0.0', 0)
    expect(core.admit(request(), 0).kind).toBe('starved')
    core.setExitIp(omsk, null, 0)
    expect(core.admit(request(), 0).kind).toBe('assigned')
  })

  test('a ban is confirmed when another device got an answer for the same request', () => {
    const { core, devices } = coreWith(['seoul-01', 'omsk-05'])
    const [seoul, omsk] = devices as [Device, Device]
    const banned = attempt(omsk, 'banned')
    core.judge.noteBan(banned, 'shop.com', undefined, 0)
    expect(omsk.exit.quarantinedUntil('shop.com', 0)).toBe(1_000)
    core.judge.settle([banned, attempt(seoul, 'answered')], seoul, 'shop.com', 10)
    expect(omsk.exit.quarantinedUntil('shop.com', 10)).toBe(60_010)
  })

  test('a page that refuses everybody does not lock the fleet out of its site', () => {
    const { core, devices } = coreWith(['seoul-01', 'omsk-05'])
    const bans = devices.map((device) => attempt(device, 'banned'))
    for (const ban of bans) core.judge.noteBan(ban, 'shop.com', undefined, 0)
    core.judge.settle(bans, null, 'shop.com', 10)
    expect(core.admit(request(), 1_000).kind).toBe('assigned')
  })
})

describe('ejection', () => {
  const fail = (core: PoolCore<Request>, device: Device, times: number, now: number) =>
    Array.from({ length: times }, () => core.judge.noteAttemptEnd(attempt(device, 'device_connect'), now)).flat()

  test('faults in a row take a device out, for a time that doubles; a success between starts the count anew', () => {
    const { core, devices } = coreWith(['moscow-07', 'seoul-01'])
    const [moscow] = devices as [Device, Device]
    expect(fail(core, moscow, 2, 0)).toEqual([])
    core.judge.noteComplete(moscow)
    expect(fail(core, moscow, 2, 0)).toEqual([])
    expect(fail(core, moscow, 1, 0)).toEqual([{ type: 'ejected', device: moscow, until: 100, faults: 3, reason: 'faults' }])
    expect(moscow.state).toBe('ejected')
    core.tick(100)
    expect(moscow.state).toBe('probing')
    expect(fail(core, moscow, 1, 100)).toEqual([{ type: 'ejected', device: moscow, until: 300, faults: 1, reason: 'faults' }])
    core.tick(300)
    expect(fail(core, moscow, 1, 300)).toMatchObject([{ until: 700 }])
    core.tick(700)
    expect(fail(core, moscow, 1, 700)).toMatchObject([{ until: 1_100 }])
  })

  test('a device on probation gets one request at a time, and all again after one success', () => {
    const { core, devices } = coreWith(['moscow-07', 'seoul-01'])
    const [moscow, seoul] = devices as [Device, Device]
    fail(core, moscow, 3, 0)
    core.setOnline(seoul, false)
    expect([request(), request()].map((each) => core.admit(each, 100).kind)).toEqual(['assigned', 'wait'])
    expect(core.judge.noteComplete(moscow)).toEqual([{ type: 'restored', device: moscow }])
    expect(core.serveWaiting(101)).toHaveLength(1)
  })

  test.each([
    [1, 0],
    [2, 1],
    [3, 1],
    [4, 2],
    [9, 4],
  ])('of %i devices at most %i are ejected', (size, most) => {
    const { core, devices } = coreWith(Array.from({ length: size }, (_, index) => `d${index}`))
    const events = devices.flatMap((device) => fail(core, device, 3, 0))
    expect(events).toHaveLength(most)
  })

  test('devices that are offline anyway do not count for the half that may be ejected', () => {
    const { core, devices } = coreWith(['a', 'b', 'c', 'd'])
    const [a, b, c] = devices as [Device, Device, Device]
    core.setOnline(c, false)
    core.setOnline(b, false)
    expect(fail(core, a, 3, 0)).toHaveLength(1)
    expect(fail(core, devices[3] as Device, 3, 0)).toHaveLength(0)
  })

  test('a suspicion counts when another device got an answer, not when all failed alike', () => {
    const { core, devices } = coreWith(['moscow-07', 'seoul-01'])
    const [moscow, seoul] = devices as [Device, Device]
    for (let i = 0; i < 3; i++) core.judge.settle([attempt(moscow, 'no_response'), attempt(seoul, 'no_response')], null, 'shop.com', 0)
    expect(moscow.consecutiveFaults).toBe(0)
    for (let i = 0; i < 3; i++) core.judge.settle([attempt(moscow, 'no_response'), attempt(seoul, 'answered')], seoul, 'shop.com', 0)
    expect(moscow.state).toBe('ejected')
    expect(seoul.state).toBe('ready')
  })

  test('a target that is not there is no fault of a device that was asked alone; where another device reached it, it is', () => {
    const { core, devices } = coreWith(['moscow-07', 'seoul-01'])
    const [moscow, seoul] = devices as [Device, Device]
    const alone = attempt(moscow, 'target_unreachable')
    for (let i = 0; i < 9; i++) {
      core.judge.noteAttemptEnd(alone, 0)
      core.judge.settle([alone], null, 'shop.com', 0)
    }
    expect([moscow.consecutiveFaults, moscow.window.failures]).toEqual([0, 0])
    for (let i = 0; i < 3; i++) core.judge.settle([alone, attempt(seoul, 'answered')], seoul, 'shop.com', 0)
    expect(moscow.state).toBe('ejected')
  })

  test('a hang that another device did not have takes a device out at once', () => {
    const { core, devices } = coreWith(['kazan-02', 'seoul-01'])
    const [kazan, seoul] = devices as [Device, Device]
    const events = core.judge.settle([attempt(kazan, 'tunnel_timeout'), attempt(seoul, 'answered')], seoul, 'shop.com', 0)
    expect(events).toMatchObject([{ type: 'ejected', device: kazan }])
  })

  test('when a device comes back, who waits for one is served', () => {
    const { core, devices } = coreWith(['moscow-07', 'seoul-01'], { limits: limitedTo(1) })
    const [moscow, seoul] = devices as [Device, Device]
    fail(core, moscow, 3, 0)
    core.setOnline(seoul, false)
    const waiting = request()
    expect(core.admit(waiting, 0).kind).toBe('wait')
    expect(core.wakeAt()).toBe(100)
    expect(only(core.tick(100).served).device).toBe(moscow)
  })

  test('a device that says it is draining rests a moment, without blame', () => {
    const { core, devices } = coreWith(['busan-03'])
    const busan = only(devices)
    core.judge.noteDraining(busan, 0)
    expect(core.judge.noteAttemptEnd(attempt(busan, 'draining'), 0)).toEqual([])
    expect(busan.state).toBe('fenced')
    expect(core.admit(request(), 0).kind).toBe('wait')
    expect(core.tick(1_000).served).toHaveLength(1)
    expect(busan.tally.faults).toBe(0)
    expect(busan.state).toBe('ready')
  })

  test('a rotation that changed the IP is proof that the device works', () => {
    const { core, devices } = coreWith(['busan-03', 'seoul-01'])
    const [busan] = devices as [Device, Device]
    fail(core, busan, 3, 0)
    expect(core.judge.vouchFor(busan)).toEqual([{ type: 'restored', device: busan }])
    expect(busan.state).toBe('ready')
  })
})
