import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Applicant } from './admission-queue.ts'
import { balancers } from './balancers/index.ts'
import { Device } from './device.ts'
import type { CoreEvent, JudgedAttempt } from './judge.ts'
import { PoolCore } from './pool-core.ts'
import { ExitMemory } from './quarantine.ts'
import { outliers, type SuccessRateSettings } from './success-rate.ts'

const settings: SuccessRateSettings = { stdevFactor: 1.9, minDevices: 5, minRequests: 100, intervalMs: 60_000 }

/** Devices that had 100 requests each, of which so many failed. */
const fleetOf = (failures: readonly number[], requests = 100): Device[] =>
  failures.map((count, index) => {
    const id = `d${index}`
    const device = new Device({ id, name: id, weight: 1, tags: [], operator: null, region: null, type: 'generic' }, new ExitMemory(id))
    device.window.requests = requests
    device.window.failures = count
    return device
  })

const namesOf = (devices: readonly Device[]): string[] => devices.map(({ id }) => id)

describe('out of line', () => {
  test.each<[string, number[], string[]]>([
    ['nobody, where all do well', [0, 1, 0, 2, 1], []],
    ['nobody, where all do badly alike: it is the target', [90, 95, 92, 91, 94, 90], []],
    ['one that fails half the time among five that do not', [0, 50, 0, 1, 0], ['d1']],
    ['one that is a tenth and more worse than a perfect fleet', [0, 0, 0, 0, 11], ['d4']],
    ['not one that is less than a tenth worse', [0, 0, 0, 0, 9], []],
    ['not one within the spread of an uneven fleet', [10, 60, 20, 60, 30, 60, 15, 50], []],
    ['two, the worst first', [1, 60, 0, 2, 1, 80, 0, 1, 2, 0, 1, 0, 1, 2, 0, 1, 2, 0, 1, 1], ['d5', 'd1']],
    ['nobody, where too few are compared', [0, 50, 0, 1], []],
  ])('%s', (_what, failures, out) => {
    expect(namesOf(outliers(fleetOf(failures), settings))).toEqual(out)
  })

  test('nobody who had too few requests to tell', () => {
    const [few] = fleetOf([60], 99)
    const fleet = [...fleetOf([0, 0, 0, 0, 0]), ...(few === undefined ? [] : [few])]
    expect(outliers(fleet, settings)).toEqual([])
  })

  test('never anybody at or above the mean, whatever the fleet', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(100), { minLength: 5, maxLength: 50 }), (failures) => {
        const mean = failures.reduce((sum, count) => sum + count, 0) / failures.length
        for (const { window } of outliers(fleetOf(failures), settings)) expect(window.failures).toBeGreaterThan(mean)
      }),
    )
  })
})

describe('in the pool', () => {
  function poolOf(size: number) {
    const core = new PoolCore<Applicant>(
      {
        limits: { concurrency: 10, requestsPerMinute: null, burst: 1, concurrentPerSite: null },
        queue: { timeoutMs: 1_000, max: 10 },
        ejection: { consecutive: 3, baseMs: 10_000, maxMs: 60_000, maxShare: 0.5, successRate: settings },
        quarantine: { quarantineMs: 1_000 },
      },
      balancers['round-robin'](Math.random),
    )
    const devices = Array.from({ length: size }, (_, index) => {
      const id = `d${index}`
      const device = core.addDevice({ id, name: id, weight: 1, tags: [], operator: null, region: null, type: 'generic' }, id, 0)
      core.setOnline(device, true)
      return device
    })
    return { core, devices }
  }

  const attempt = (device: Device, kind: JudgedAttempt['kind']): JudgedAttempt => ({ device, exit: device.exit, kind })

  /** One request through the device. The failures are suspicions that nothing confirms: the target may be to blame. */
  function go(core: PoolCore<Applicant>, device: Device, isSuccess: boolean, now: number): readonly CoreEvent[] {
    if (isSuccess) {
      const events = core.judge.settle([attempt(device, 'answered')], device, 'shop.com', now)
      core.judge.noteComplete(device)
      return events
    }
    const failed = attempt(device, 'no_response')
    return [
      ...core.judge.noteAttemptEnd(failed, now),
      ...core.judge.settle([failed, attempt(device, 'no_response')], null, 'shop.com', now),
    ]
  }

  test('a device that fails every other request is taken out after an interval, though it never failed thrice in a row', () => {
    const { core, devices } = poolOf(5)
    const events: CoreEvent[] = []
    for (let i = 0; i < 200; i++) {
      for (const device of devices) {
        const isSuccess = device !== devices[2] || i % 2 === 0
        events.push(...go(core, device, isSuccess, i * 250))
        if (isSuccess) continue
        // A success between: faults in a row are not what takes it out.
        core.judge.noteComplete(device)
      }
    }
    expect(events).toEqual([])
    events.push(...go(core, devices[0] as Device, true, 60_000))
    expect(events).toEqual([{ type: 'ejected', device: devices[2], until: 70_000, faults: 100, reason: 'success_rate' }])
    expect(devices.map(({ state }) => state)).toEqual(['ready', 'ready', 'ejected', 'ready', 'ready'])
    expect(devices.map(({ window }) => window.requests)).toEqual([1, 0, 0, 0, 0])
    core.serveWaiting(70_000)
    expect(devices[2]?.state).toBe('probing')
  })

  test('a response that breaks off in the middle is a failure', () => {
    const { core, devices } = poolOf(2)
    const [device] = devices as [Device]
    core.judge.settle([attempt(device, 'response_broken')], null, 'shop.com', 0)
    expect(device.window).toEqual({ requests: 1, failures: 1 })
  })

  test('bans, aborts and rotations say nothing of the device', () => {
    const { core, devices } = poolOf(2)
    const [device] = devices as [Device]
    for (const kind of ['banned', 'aborted', 'rotated', 'caller', 'draining'] as const) core.judge.noteAttemptEnd(attempt(device, kind), 0)
    expect(device.window).toEqual({ requests: 0, failures: 0 })
  })
})
