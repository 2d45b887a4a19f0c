import { describe, expect, test } from 'vitest'
import { type Asked, triggersOver } from '../../test/staged-triggers.ts'
import type { Device } from '../core/device.ts'
import { ExitMemory } from '../core/quarantine.ts'
import { MobilePoolError } from '../errors.ts'

describe('by bans', () => {
  test('a device rotates when so many requests met one, and not before; one request counts once', async () => {
    const { clock, devices, asked, triggers, ban } = triggersOver(['omsk-05'], { onBanCount: 3 })
    const stubborn = {}
    for (let attempt = 0; attempt < 5; attempt++) ban(devices[0], 'shop.com', stubborn)
    ban(devices[0])
    await clock.advance(0)
    expect(asked).toEqual([])
    ban(devices[0], 'other.com')
    ban(devices[0])
    await clock.advance(0)
    expect(asked.map(({ trigger }) => trigger)).toEqual(['ban'])
    triggers.close()
  })

  test('a proper answer of the site in between ends its count', async () => {
    const { clock, devices, asked, ban, quarantine } = triggersOver(['omsk-05'], { onBanCount: 3 })
    for (let round = 0; round < 5; round++) {
      ban(devices[0])
      ban(devices[0])
      await clock.advance(700_000)
      quarantine.clear(devices[0].exit, 'shop.com', clock.now())
    }
    expect(asked).toEqual([])
  })

  test('between two rotations of a device minIntervalMs go by', async () => {
    const { clock, devices, asked, ban } = triggersOver(['omsk-05'], { onBanCount: 1 })
    ban(devices[0])
    await clock.advance(0)
    asked[0]?.end('unchanged')
    await clock.advance(29_999)
    ban(devices[0])
    await clock.advance(0)
    expect(asked).toHaveLength(1)
    await clock.advance(1)
    ban(devices[0])
    await clock.advance(0)
    expect(asked).toHaveLength(2)
  })

  test('a hostile site that bans everything causes no more than its share at once and one rotation an interval', async () => {
    const names = Array.from({ length: 20 }, (_, index) => `d-${index}`)
    const changes = { onBanCount: 1, minIntervalMs: 0, minSiteIntervalMs: 60_000, maxShare: 0.25, maxParallel: 100 }
    const { clock, devices, asked, triggers, ban } = triggersOver(names, changes)
    const ended = new Set<Asked>()
    for (let second = 0; second < 600; second++) {
      for (const device of devices) {
        ban(device, 'hostile.com')
        triggers.helpStarved('hostile.com')
      }
      await clock.advance(1_000)
      for (const one of asked.filter((rotation) => !ended.has(rotation))) {
        const device = devices.find(({ id }) => id === one.id)
        if (device === undefined) throw new Error(`no device ${one.id}`)
        device.exit = new ExitMemory(`${one.id} ${second}`)
        triggers.noteRotation(device)
        one.end()
        ended.add(one)
      }
    }
    const allowed = 5 + 600 / 60
    expect(asked.length).toBeGreaterThanOrEqual(allowed - 1)
    expect(asked.length).toBeLessThanOrEqual(allowed)
    // Another site has an allowance of its own.
    ban(devices[0], 'shop.com')
    ban(devices[0], 'shop.com')
    await clock.advance(0)
    expect(asked.length).toBeLessThanOrEqual(allowed + 1)
  })

  test('of two sites the one that bans most pays for the rotation', async () => {
    const changes = { onBanCount: 3, minIntervalMs: 0, minSiteIntervalMs: 60_000 }
    const { clock, devices, asked, triggers, ban } = triggersOver(['omsk-05'], changes)
    for (const site of ['hostile.com', 'hostile.com', 'shop.com']) ban(devices[0], site)
    await clock.advance(0)
    expect(asked).toHaveLength(1)
    devices[0].exit = new ExitMemory('another')
    triggers.noteRotation(devices[0])
    asked[0]?.end()
    await clock.advance(0)
    for (let times = 0; times < 3; times++) ban(devices[0], 'shop.com')
    await clock.advance(0)
    expect(asked).toHaveLength(2)
  })

  test('what the hub says about "too soon" is kept to, is an event, and costs the site nothing', async () => {
    const { clock, devices, asked, events, ban } = triggersOver(['omsk-05'], { onBanCount: 1, minSiteIntervalMs: 600_000 })
    ban(devices[0])
    await clock.advance(0)
    asked[0]?.end(new MobilePoolError('MP_ROTATION_TOO_SOON', 'too soon', { retryAfterMs: 90_000 }))
    await clock.advance(89_999)
    ban(devices[0])
    await clock.advance(0)
    expect(asked).toHaveLength(1)
    expect(events).toMatchObject([['rotationError', { device: 'omsk-05', trigger: 'ban', error: { code: 'MP_ROTATION_TOO_SOON' } }]])
    await clock.advance(1)
    ban(devices[0])
    await clock.advance(0)
    expect(asked).toHaveLength(2)
  })

  test('no more than the set share of the devices that are up rotates at once, but always one', async () => {
    const names = Array.from({ length: 10 }, (_, index) => `d-${index}`)
    const many = triggersOver(names, { onBanCount: 1, maxShare: 0.25, maxParallel: 100 })
    for (const device of many.devices) many.ban(device)
    await many.clock.advance(0)
    expect(many.asked).toHaveLength(2)
    many.asked[0]?.end()
    await many.clock.advance(0)
    expect(many.asked).toHaveLength(3)
    const one = triggersOver(['seoul-01'], { onBanCount: 1, maxShare: 0.01 })
    one.ban(one.devices[0])
    await one.clock.advance(0)
    expect(one.asked).toHaveLength(1)
  })
})

describe('when every device is quarantined for a site', () => {
  test('the most banned one rotates, one at a time', async () => {
    const { clock, devices, asked, triggers, ban } = triggersOver(['seoul-01', 'omsk-05'], { onBanCount: 100 })
    const [seoul, omsk] = devices as [Device, Device]
    ban(seoul)
    for (let times = 0; times < 3; times++) ban(omsk)
    expect(triggers.helpStarved('shop.com')).toBe(true)
    expect(triggers.helpStarved('shop.com')).toBe(true)
    await clock.advance(0)
    expect(asked.map(({ id }) => id)).toEqual(['omsk-05'])
    asked[0]?.end('unchanged')
    await clock.advance(0)
    expect(triggers.helpStarved('shop.com')).toBe(true)
    await clock.advance(0)
    expect(asked.map(({ id }) => id)).toEqual(['omsk-05', 'seoul-01'])
    asked[1]?.end('unchanged')
    await clock.advance(0)
    expect(triggers.helpStarved('shop.com')).toBe(false)
  })

  test('a new IP that is burnt at the site too is followed by another rotation at once, three in a row at most', async () => {
    const { clock, devices, asked, triggers, ban, quarantine } = triggersOver(['omsk-05'], { onBanCount: 1 })
    const burnt = new ExitMemory('burnt')
    quarantine.ban(burnt, 'shop.com', undefined, 0)
    ban(devices[0])
    for (let round = 0; round < 10; round++) {
      await clock.advance(0)
      if (asked.length === round) break
      devices[0].exit = burnt
      triggers.noteRotation(devices[0])
      asked[round]?.end()
      await clock.advance(0)
      triggers.helpStarved('shop.com')
    }
    expect(asked).toHaveLength(3)
    await clock.advance(30_000)
    quarantine.ban(burnt, 'shop.com', undefined, clock.now())
    expect(triggers.helpStarved('shop.com')).toBe(true)
  })

  test('a device that cannot rotate is not asked again, and another one is', async () => {
    const changes = { onBanCount: 100, minSiteIntervalMs: 600_000, maxShare: 0.1 }
    const { clock, devices, asked, triggers, ban } = triggersOver(['omsk-05', 'seoul-01'], changes)
    for (const device of devices) ban(device)
    expect(triggers.helpStarved('shop.com')).toBe(true)
    await clock.advance(0)
    asked[0]?.end(new MobilePoolError('MP_ROTATION_UNSUPPORTED', 'no way'))
    await clock.advance(0)
    expect(triggers.helpStarved('shop.com')).toBe(true)
    await clock.advance(0)
    expect(asked.map(({ id }) => id)).toEqual(['omsk-05', 'seoul-01'])
  })

  test.each([
    { floor: 'of the device', changes: { minIntervalMs: 20_000 } },
    { floor: 'of the site', changes: { minIntervalMs: 0, minSiteIntervalMs: 20_000 } },
  ])('a rotation that the floor $floor allows soon is waited for, and then asked for', async ({ changes }) => {
    const { clock, devices, asked, triggers, ban, whenSettled } = triggersOver(['omsk-05'], {
      onBanCount: 1,
      patienceMs: 30_000,
      ...changes,
    })
    ban(devices[0])
    await clock.advance(0)
    asked[0]?.end('unchanged')
    await clock.advance(0)
    whenSettled(() => triggers.helpStarved('shop.com'))
    expect(triggers.helpStarved('shop.com')).toBe(true)
    await clock.advance(19_999)
    ban(devices[0])
    expect(asked).toHaveLength(1)
    await clock.advance(1)
    await clock.advance(0)
    expect(asked).toHaveLength(2)
    triggers.close()
  })

  test('a rotation that is allowed only later than anybody would wait is no help, one by the clock before that is', async () => {
    for (const everyMs of [null, 25_000]) {
      const { clock, devices, asked, triggers, ban } = triggersOver(['omsk-05'], {
        onBanCount: 1,
        patienceMs: 30_000,
        minIntervalMs: 31_000,
        everyMs,
      })
      ban(devices[0])
      await clock.advance(0)
      asked[0]?.end('unchanged')
      await clock.advance(0)
      expect(triggers.helpStarved('shop.com')).toBe(everyMs !== null)
      triggers.close()
    }
  })

  test('nobody helps who was not asked to rotate on bans', () => {
    const { devices, triggers, ban } = triggersOver(['omsk-05'], { afterRequests: 60_000 })
    ban(devices[0])
    expect(triggers.helpStarved('shop.com')).toBe(false)
  })
})
