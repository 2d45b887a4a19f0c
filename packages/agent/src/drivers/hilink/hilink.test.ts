import { afterEach, describe, expect, test } from 'vitest'
import { HastyClock } from '../../../test/hasty-clock.ts'
import { type HilinkKnobs, HilinkSimulator } from '../../../test/hilink-simulator.ts'
import { memoryState } from '../../../test/memory-state.ts'
import { createDriver } from '../create-driver.ts'
import type { DeviceDriver, Rung } from '../driver.ts'

const signal = new AbortController().signal
const started: HilinkSimulator[] = []
afterEach(async () => {
  for (const stick of started.splice(0)) await stick.stop()
})

const open = async (knobs: Partial<HilinkKnobs> = {}, options: Record<string, unknown> = {}, stateDir = memoryState()) => {
  const stick = await HilinkSimulator.start(knobs)
  started.push(stick)
  const clock = new HastyClock()
  const connect = (): Promise<DeviceDriver> =>
    createDriver('hilink', { url: stick.url, sourceAddress: '127.10.4.1', ...options }, { clock, stateDir, name: 'seoul-01' })
  return { stick, clock, driver: await connect(), connect }
}

const dataToggle: Rung = { method: 'data_toggle', holdMs: 6_000 }

const cycle = async (driver: DeviceDriver, rung: Rung = dataToggle): Promise<void> => {
  await driver.down(rung, signal)
  await driver.up(signal)
  await driver.waitOnline(signal)
}

describe('the hilink driver', () => {
  test('says what the stick says of itself, asked from the address of its own interface', async () => {
    const { driver, stick } = await open()
    expect(await driver.status(signal)).toEqual({
      sim: 'ready',
      isDown: false,
      telemetry: { operator: 'Test & Net', mccMnc: '00101', innerIp: expect.any(String), networkType: 'LTE', signal: 80, roaming: false },
    })
    expect([...stick.callers]).toEqual(['127.10.4.1'])
    expect(driver.hostAddresses).toContain('127.0.0.1')
  })

  test.each([
    ['255', 'missing'],
    ['260', 'locked'],
    ['258', 'ready'],
  ])('knows SIM state %s as %s', async (simState, sim) => {
    const { driver } = await open({ simState })
    expect(await driver.status(signal)).toMatchObject({ sim })
  })

  test('offers data off for longer and longer, the rest only when asked for', async () => {
    const ladder = await (await open()).driver.ladder(signal)
    expect(ladder.filter((rung) => !rung.isOnRequest).map((rung) => rung.holdMs)).toEqual([6_000, 15_000, 40_000])
    expect(ladder.filter((rung) => rung.isOnRequest).map((rung) => rung.method)).toEqual(['network_reset', 'device_reboot'])
  })

  test.each([
    { tokens: 'strict' },
    { tokens: 'lenient' },
    { tokens: 'none' },
    { tokens: 'strict', password: 'secret' },
    { tokens: 'batch', password: 'secret' },
    { tokens: 'strict', password: 'secret', passwordType: '0' },
    { tokens: 'strict', busyTimes: 3 },
    { tokens: 'strict', sessionRequests: 1 },
    { tokens: 'strict', password: 'secret', sessionRequests: 4 },
  ] satisfies Partial<HilinkKnobs>[])('goes off and on again, twice, with a stick that has %j', async (knobs) => {
    const { driver, stick } = await open(knobs, 'password' in knobs ? { password: knobs.password } : {})
    for (let times = 0; times < 2; times += 1) {
      await driver.down(dataToggle, signal)
      expect(await driver.status(signal)).toMatchObject({ isDown: true })
      await driver.up(signal)
      await driver.waitOnline(signal)
      expect(await driver.status(signal)).toMatchObject({ isDown: false })
    }
    const [off, on] = ['/api/dialup/mobile-dataswitch 0', '/api/dialup/mobile-dataswitch 1']
    expect(stick.writes).toEqual([off, on, off, on])
  })

  test('stays logged in', async () => {
    const { driver, stick } = await open({ password: 'secret' }, { password: 'secret' })
    await cycle(driver)
    await cycle(driver)
    expect(stick.logins).toBe(1)
  })

  test('tells a wrong password to the stick once: it would lock itself', async () => {
    const { driver, stick } = await open({ password: 'secret' }, { password: 'hunter22' })
    for (let times = 0; times < 4; times += 1)
      await expect(driver.status(signal)).rejects.toMatchObject({ code: 'auth_failed', message: expect.not.stringContaining('hunter22') })
    expect(stick.logins).toBe(1)
  })

  test('says that the stick asks for a login', async () => {
    const { driver } = await open({ password: 'secret' })
    await expect(driver.status(signal)).rejects.toMatchObject({
      code: 'auth_failed',
      message: 'The stick answered error 100003: it asks for a login: give driverOptions.password, or switch its login off.',
    })
  })

  test('gives up on a stick that is busy for long', async () => {
    const { driver } = await open({ busyTimes: 100 })
    await expect(driver.down(dataToggle, signal)).rejects.toMatchObject({ code: 'busy' })
  })

  test('is unreachable when the stick does not answer, and works when it does', async () => {
    const { driver } = await open({ silentTimes: 1 }, { timeoutMs: 200 })
    await expect(driver.status(signal)).rejects.toMatchObject({
      code: 'device_unreachable',
      message: expect.stringContaining('within 200 ms'),
    })
    expect(await driver.status(signal)).toMatchObject({ sim: 'ready' })
  })

  test('ends at once when its call is aborted', async () => {
    const { driver } = await open({ silentTimes: 1 })
    const call = new AbortController()
    const status = driver.status(call.signal)
    call.abort(new Error('over'))
    await expect(status).rejects.toThrow('over')
  })

  test('does not believe that a stick is off that dials by itself', async () => {
    const { driver, clock } = await open({ dialsByItself: true })
    await expect(driver.down(dataToggle, signal)).rejects.toMatchObject({
      code: 'unsupported',
      message: 'The stick is still connected 15 s after it was told to disconnect.',
    })
    expect(clock.slept.reduce((sum, ms) => sum + ms, 0)).toBe(15_000)
  })

  test('goes to another kind of network and back, also when the agent was restarted in between', async () => {
    const { driver, stick, connect } = await open()
    await driver.down({ method: 'network_reset', holdMs: 1 }, signal)
    expect(stick.mode).toBe('02')
    const second = await connect()
    await second.up(signal)
    await second.waitOnline(signal)
    expect(stick.mode).toBe('00')
    const writes = stick.writes.length
    await second.up(signal)
    expect(stick.writes.slice(writes)).toEqual(['/api/dialup/mobile-dataswitch 1'])
  })

  test.each([false, true])(
    'reboots, waits until the stick is gone and back, and has its data on (off after boot: %s)',
    async (isOffAfterBoot) => {
      const { driver, stick } = await open({ isOffAfterBoot })
      const reboot: Rung = { method: 'device_reboot', holdMs: 0 }
      await cycle(driver, reboot)
      expect(stick.writes[0]).toBe('/api/device/control 1')
      expect(await driver.status(signal)).toMatchObject({ isDown: false })
      await expect(driver.down(reboot, signal)).rejects.toMatchObject({ code: 'too_soon' })
    },
  )

  test.each([
    [{ url: 'https://192.168.8.1' }, 'driverOptions.url (--driver-options): must be like http://192.168.8.1'],
    [{ sourceAddress: undefined }, 'one of interface and sourceAddress is needed'],
    [{ holdsMs: [] }, 'driverOptions.holdsMs'],
    [{ pasword: 'x' }, 'pasword'],
  ])('refuses the options %j', async (options, message) => {
    await expect(open({}, options)).rejects.toMatchObject({ code: 'bad_config', message: expect.stringContaining(message) })
  })

  test('says that its interface has no address', async () => {
    const { driver } = await open({}, { sourceAddress: undefined, interface: 'mp-none' })
    expect(driver.sourceAddress()).toBeNull()
    await expect(driver.status(signal)).rejects.toMatchObject({
      code: 'device_unreachable',
      message: 'The interface of the device has no address.',
    })
  })
})
