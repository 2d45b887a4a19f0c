import { describe, expect, test } from 'vitest'
import { seeded } from '../../test/seeded.ts'
import { triggersOver } from '../../test/staged-triggers.ts'
import type { Device } from '../core/device.ts'
import { ExitMemory } from '../core/quarantine.ts'
import { MobilePoolError } from '../errors.ts'
import type { Triggers } from './triggers.ts'

describe('by the clock', () => {
  test('every device rotates once an interval, from a start somewhere in it, and counts from its last rotation', async () => {
    const { clock, devices, asked, triggers } = triggersOver(['seoul-01', 'busan-03'], { everyMs: 60_000 })
    await clock.advance(44_999)
    expect(asked).toEqual([])
    await clock.advance(1)
    expect(asked.map(({ id, trigger }) => [id, trigger])).toEqual([
      ['seoul-01', 'interval'],
      ['busan-03', 'interval'],
    ])
    for (const { end } of asked) end()
    await clock.advance(1_000)
    for (const device of devices) triggers.noteRotation(device)
    await clock.advance(59_999)
    expect(asked).toHaveLength(2)
    await clock.advance(1)
    expect(asked).toHaveLength(4)
    triggers.close()
    expect(clock.pending).toBe(0)
  })

  test('no two devices keep step: starts are spread over the second half of an interval, later ones differ by up to a tenth', async () => {
    const names = Array.from({ length: 40 }, (_, index) => `exit-${index}`)
    const { clock, asked, triggers, devices } = triggersOver(names, { everyMs: 60_000, maxParallel: 100 }, seeded(7))
    await clock.advance(60_000)
    const starts = asked.map(({ at }) => at)
    expect(starts).toHaveLength(40)
    expect(new Set(starts).size).toBe(40)
    expect(Math.min(...starts)).toBeGreaterThanOrEqual(30_000)
    expect(Math.min(...starts)).toBeLessThan(34_000)
    expect(Math.max(...starts)).toBeGreaterThan(56_000)
    for (const { end } of asked) end()
    await clock.advance(0)
    const from = clock.now()
    for (const device of devices) triggers.noteRotation(device)
    await clock.advance(66_000)
    const intervals = asked.slice(40).map(({ at }) => at - from)
    expect(new Set(intervals).size).toBe(40)
    expect(Math.min(...intervals)).toBeGreaterThanOrEqual(54_000)
    expect(Math.min(...intervals)).toBeLessThan(55_500)
    expect(Math.max(...intervals)).toBeGreaterThan(64_500)
    triggers.close()
  })

  test('a device that is offline when its time comes rotates soon after it is back', async () => {
    const { clock, devices, asked, triggers } = triggersOver(['moscow-07'], { everyMs: 60_000 })
    devices[0].online = false
    await clock.advance(50_000)
    expect(asked).toEqual([])
    devices[0].online = true
    await clock.advance(5_000)
    expect(asked).toHaveLength(1)
    triggers.close()
  })

  test('one that the hub rotated a moment ago is asked again when the hub said, not before', async () => {
    const { clock, asked, events, triggers } = triggersOver(['busan-03'], { everyMs: 60_000 })
    await clock.advance(45_000)
    asked[0]?.end(new MobilePoolError('MP_ROTATION_TOO_SOON', 'too soon', { retryAfterMs: 20_000 }))
    await clock.advance(19_999)
    expect([asked.length, events.length]).toEqual([1, 1])
    await clock.advance(1)
    expect(asked).toHaveLength(2)
    asked[1]?.end(new MobilePoolError('MP_ROTATION_UNSUPPORTED', 'no way'))
    await clock.advance(600_000)
    expect(asked).toHaveLength(2)
    triggers.close()
  })

  test('no more at a time than maxParallel', async () => {
    const { clock, asked, triggers } = triggersOver(['a', 'b', 'c', 'd', 'e'], { everyMs: 60_000, maxParallel: 2 })
    await clock.advance(46_000)
    expect(asked).toHaveLength(2)
    asked[0]?.end()
    await clock.advance(0)
    expect(asked).toHaveLength(3)
    triggers.close()
  })

  test('nothing is asked for after close', async () => {
    const { clock, asked, triggers } = triggersOver(['seoul-01'], { everyMs: 60_000 })
    triggers.close()
    await clock.advance(600_000)
    expect(asked).toEqual([])
  })
})

describe('by requests', () => {
  const serve = (triggers: Triggers, device: Device, times: number): void => {
    for (let i = 0; i < times; i++) triggers.noteRequest(device, device.exit)
  }

  test('a device rotates after so many attempts that reached a site, counted from its last rotation', async () => {
    const { clock, devices, asked, triggers } = triggersOver(['seoul-01', 'busan-03'], { afterRequests: 3, minIntervalMs: 0 })
    const [seoul, busan] = devices as [Device, Device]
    serve(triggers, seoul, 2)
    serve(triggers, busan, 2)
    await clock.advance(0)
    expect(asked).toEqual([])
    serve(triggers, seoul, 5)
    await clock.advance(0)
    expect(asked.map(({ id, trigger }) => [id, trigger])).toEqual([['seoul-01', 'requests']])
    triggers.noteRotation(seoul)
    asked[0]?.end()
    await clock.advance(0)
    serve(triggers, seoul, 2)
    await clock.advance(0)
    expect(asked).toHaveLength(1)
    serve(triggers, seoul, 1)
    await clock.advance(0)
    expect(asked).toHaveLength(2)
  })

  test('an exit IP that changed by itself begins anew, and what ran over the one before does not count', async () => {
    const { clock, devices, asked, triggers } = triggersOver(['moscow-07'], { afterRequests: 3 })
    const [moscow] = devices
    const before = moscow.exit
    serve(triggers, moscow, 2)
    moscow.exit = new ExitMemory('another')
    triggers.noteRequest(moscow, before)
    serve(triggers, moscow, 2)
    await clock.advance(0)
    expect(asked).toEqual([])
    serve(triggers, moscow, 1)
    await clock.advance(0)
    expect(asked).toHaveLength(1)
  })

  test('not sooner than minIntervalMs after the rotation before', async () => {
    const { clock, devices, asked, triggers } = triggersOver(['seoul-01'], { afterRequests: 1 })
    serve(triggers, devices[0], 1)
    await clock.advance(0)
    asked[0]?.end('unchanged')
    await clock.advance(29_999)
    serve(triggers, devices[0], 1)
    await clock.advance(0)
    expect(asked).toHaveLength(1)
    await clock.advance(1)
    serve(triggers, devices[0], 1)
    await clock.advance(0)
    expect(asked).toHaveLength(2)
  })
})

describe('by the end of a session', () => {
  test('its device rotates, at once or as soon as it may again', async () => {
    const { clock, devices, asked, triggers } = triggersOver(['seoul-01'], { onSessionEnd: true })
    triggers.noteSessionEnd(devices[0])
    await clock.advance(0)
    expect(asked.map(({ trigger }) => trigger)).toEqual(['session'])
    triggers.noteRotation(devices[0])
    asked[0]?.end()
    await clock.advance(10_000)
    triggers.noteSessionEnd(devices[0])
    triggers.noteSessionEnd(devices[0])
    await clock.advance(19_999)
    expect(asked).toHaveLength(1)
    await clock.advance(1)
    expect(asked.map(({ trigger, at }) => [trigger, at])).toEqual([
      ['session', 0],
      ['session', 30_000],
    ])
    triggers.close()
    expect(clock.pending).toBe(0)
  })

  test('a rotation for another reason serves it too, and a device that left is not waited for', async () => {
    const { clock, devices, asked, triggers } = triggersOver(['seoul-01', 'busan-03'], { onSessionEnd: true })
    const [seoul, busan] = devices as [Device, Device]
    for (const device of [seoul, busan]) triggers.noteSessionEnd(device)
    await clock.advance(0)
    for (const { end } of asked) end()
    await clock.advance(0)
    for (const device of [seoul, busan]) triggers.noteSessionEnd(device)
    triggers.noteRotation(seoul)
    triggers.deviceRemoved(busan)
    await clock.advance(60_000)
    expect(asked).toHaveLength(2)
    triggers.close()
  })

  test('nothing happens where nobody asked for it', async () => {
    const { clock, devices, asked, triggers } = triggersOver(['seoul-01'], { everyMs: 600_000 })
    triggers.noteSessionEnd(devices[0])
    await clock.advance(0)
    expect(asked).toEqual([])
    triggers.close()
  })
})
