import { describe, expect, test } from 'vitest'
import { VirtualClock } from '../../test/virtual-clock.ts'
import type { RotationTrigger } from '../contract/index.ts'
import { Device } from '../core/device.ts'
import { ExitMemory, Quarantine } from '../core/quarantine.ts'
import { MobilePoolError } from '../errors.ts'
import type { Emit, RotationResult } from '../events.ts'
import { type TriggerSettings, Triggers } from './triggers.ts'

const settings: TriggerSettings = { everyMs: null, onBanCount: null, minIntervalMs: 30_000, maxParallel: 4 }

interface Asked {
  readonly id: string
  readonly trigger: RotationTrigger
  readonly at: number
  readonly end: (error?: Error) => void
}

function triggersOver(names: string[], changes: Partial<TriggerSettings>) {
  const clock = new VirtualClock()
  const devices = names.map((name) => {
    const facts = { id: name, name, weight: 1, tags: [], operator: null, region: null, type: 'generic' }
    const device = new Device(facts, new ExitMemory(name))
    device.online = true
    return device
  })
  const asked: Asked[] = []
  const events: unknown[] = []
  const emit: Emit = (name, ...event) => void events.push([name, ...event])
  const rotate = (id: string, trigger: RotationTrigger) =>
    new Promise<RotationResult>((resolve, reject) => {
      const result: RotationResult = { deviceId: id, device: id, outcome: 'changed', trigger, oldIp: null, newIp: null, durationMs: 0 }
      asked.push({ id, trigger, at: clock.now(), end: (error) => (error === undefined ? resolve(result) : reject(error)) })
    })
  const triggers: Triggers = new Triggers(
    { ...settings, ...changes },
    { clock, random: () => 0.5, emit, devices: () => devices, rotate, onSettled: () => {} },
  )
  return { clock, devices: devices as [Device, ...Device[]], asked, events, triggers }
}

const quarantine = new Quarantine({ quarantineMs: 600_000 })
const strike = (device: Device, times: number): void => {
  for (let i = 0; i < times; i++) quarantine.ban(device.exit, 'shop.com', undefined, 0)
}

describe('by the clock', () => {
  test('every device rotates once an interval, from a start somewhere in it, and counts from its last rotation', async () => {
    const { clock, devices, asked, triggers } = triggersOver(['seoul-01', 'busan-03'], { everyMs: 60_000 })
    triggers.devicesChanged()
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

  test('a device that is offline when its time comes rotates soon after it is back', async () => {
    const { clock, devices, asked, triggers } = triggersOver(['moscow-07'], { everyMs: 60_000 })
    triggers.devicesChanged()
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
    triggers.devicesChanged()
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
    triggers.devicesChanged()
    await clock.advance(46_000)
    expect(asked).toHaveLength(2)
    asked[0]?.end()
    await clock.advance(0)
    expect(asked).toHaveLength(3)
    triggers.close()
  })

  test('nothing is asked for after close', async () => {
    const { clock, asked, triggers } = triggersOver(['seoul-01'], { everyMs: 60_000 })
    triggers.devicesChanged()
    triggers.close()
    await clock.advance(600_000)
    expect(asked).toEqual([])
  })
})

describe('by bans', () => {
  test('a device rotates when so many requests met one, and not before', async () => {
    const { clock, devices, asked, triggers } = triggersOver(['omsk-05'], { onBanCount: 3 })
    strike(devices[0], 2)
    triggers.noteBan(devices[0])
    await clock.advance(0)
    expect(asked).toEqual([])
    strike(devices[0], 1)
    triggers.noteBan(devices[0])
    triggers.noteBan(devices[0])
    await clock.advance(0)
    expect(asked.map(({ trigger }) => trigger)).toEqual(['ban'])
  })

  test('one hostile site cannot spin a device: between two rotations minIntervalMs go by', async () => {
    const { clock, devices, asked, triggers } = triggersOver(['omsk-05'], { onBanCount: 1 })
    strike(devices[0], 1)
    triggers.noteBan(devices[0])
    await clock.advance(0)
    asked[0]?.end()
    await clock.advance(29_999)
    triggers.noteBan(devices[0])
    await clock.advance(0)
    expect(asked).toHaveLength(1)
    await clock.advance(1)
    triggers.noteBan(devices[0])
    await clock.advance(0)
    expect(asked).toHaveLength(2)
  })

  test('what the hub says about "too soon" is kept to, and is an event', async () => {
    const { clock, devices, asked, events, triggers } = triggersOver(['omsk-05'], { onBanCount: 1 })
    strike(devices[0], 1)
    triggers.noteBan(devices[0])
    await clock.advance(0)
    asked[0]?.end(new MobilePoolError('MP_ROTATION_TOO_SOON', 'too soon', { retryAfterMs: 90_000 }))
    await clock.advance(89_999)
    triggers.noteBan(devices[0])
    await clock.advance(0)
    expect(asked).toHaveLength(1)
    expect(events).toMatchObject([['rotationError', { device: 'omsk-05', trigger: 'ban', error: { code: 'MP_ROTATION_TOO_SOON' } }]])
    await clock.advance(1)
    triggers.noteBan(devices[0])
    await clock.advance(0)
    expect(asked).toHaveLength(2)
  })
})

describe('when every device is quarantined for a site', () => {
  test('the most banned one rotates, one at a time', async () => {
    const { clock, devices, asked, triggers } = triggersOver(['seoul-01', 'omsk-05'], { onBanCount: 100 })
    const [seoul, omsk] = devices as [Device, Device]
    strike(seoul, 1)
    strike(omsk, 3)
    expect(triggers.helpStarved('shop.com')).toBe(true)
    expect(triggers.helpStarved('shop.com')).toBe(true)
    await clock.advance(0)
    expect(asked.map(({ id }) => id)).toEqual(['omsk-05'])
    asked[0]?.end()
    await clock.advance(0)
    expect(triggers.helpStarved('shop.com')).toBe(true)
    await clock.advance(0)
    expect(asked.map(({ id }) => id)).toEqual(['omsk-05', 'seoul-01'])
    asked[1]?.end()
    await clock.advance(0)
    expect(triggers.helpStarved('shop.com')).toBe(false)
  })

  test('a device that cannot rotate is not asked again', async () => {
    const { clock, devices, asked, triggers } = triggersOver(['omsk-05'], { onBanCount: 1 })
    strike(devices[0], 1)
    expect(triggers.helpStarved('shop.com')).toBe(true)
    await clock.advance(0)
    asked[0]?.end(new MobilePoolError('MP_ROTATION_UNSUPPORTED', 'no way'))
    await clock.advance(8_000)
    expect(triggers.helpStarved('shop.com')).toBe(false)
  })

  test('nobody helps who was not asked to rotate on bans', () => {
    const { devices, triggers } = triggersOver(['omsk-05'], { everyMs: 60_000 })
    strike(devices[0], 1)
    expect(triggers.helpStarved('shop.com')).toBe(false)
  })
})
