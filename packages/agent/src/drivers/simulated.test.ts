import { describe, expect, test } from 'vitest'
import { VirtualClock } from '../../test/virtual-clock.ts'
import { within } from '../clock.ts'
import { AgentError } from '../errors.ts'
import type { DeviceDriver } from './driver.ts'
import { openSimulatedDriver } from './simulated.ts'

/** A state folder in memory. */
const memory = () => {
  const files = new Map<string, unknown>()
  return {
    read: async <T>(file: string) => (files.get(file) ?? null) as T | null,
    write: async (file: string, content: unknown) => void files.set(file, structuredClone(content)),
  }
}

const open = async (knobs: Record<string, unknown> = {}, stateDir = memory(), clock = new VirtualClock()) => {
  const driver = await openSimulatedDriver({ attachDelayMs: 100, ...knobs }, { clock, stateDir })
  const call = <T>(run: (signal: AbortSignal) => Promise<T>): Promise<T> =>
    clock.run(within(clock, 10_000, run, () => new AgentError('device_unreachable', 'no answer')))
  return { driver, clock, call, stateDir }
}

type Opened = Awaited<ReturnType<typeof open>>

const rotate = async ({ driver, clock, call }: Opened, holdMs = 500) => {
  await call((signal) => driver.down({ method: 'airplane_mode', holdMs }, signal))
  await clock.advance(holdMs)
  await call((signal) => driver.up(signal))
  await call((signal) => driver.waitOnline(signal))
}

describe('the simulated driver', () => {
  test('has an address, none while it is down, and the next one afterwards', async () => {
    const opened = await open()
    const { driver, call, clock } = opened
    expect(driver.sourceAddress()).toBe('127.10.1.1')
    await call((signal) => driver.down({ method: 'airplane_mode', holdMs: 1 }, signal))
    expect(driver.sourceAddress()).toBeNull()
    expect((await call((signal) => driver.status(signal))).isDown).toBe(true)
    await clock.advance(500)
    await call((signal) => driver.up(signal))
    expect(driver.sourceAddress()).toBeNull()
    await call((signal) => driver.waitOnline(signal))
    expect(driver.sourceAddress()).toBe('127.10.1.2')
  })

  test('is found as it was left by an agent that was killed, and the hold goes on meanwhile', async () => {
    const first = await open()
    await first.call((signal) => first.driver.down({ method: 'airplane_mode', holdMs: 1 }, signal))
    await first.clock.advance(5_000)
    const second = await open({}, first.stateDir, first.clock)
    expect((await second.call((signal) => second.driver.status(signal))).isDown).toBe(true)
    await second.call((signal) => second.driver.up(signal))
    await second.call((signal) => second.driver.waitOnline(signal))
    expect(second.driver.sourceAddress()).toBe('127.10.1.2')
  })

  test('offers its holds as a ladder', async () => {
    const { driver, call } = await open({ holdsMs: [100, 900] })
    expect(await call((signal) => driver.ladder(signal))).toEqual([
      { method: 'airplane_mode', holdMs: 100 },
      { method: 'airplane_mode', holdMs: 900 },
    ])
  })

  test('that leaks sends by the host’s address, which it declares as the host’s', async () => {
    const { driver } = await open({ leak: true })
    expect(driver.sourceAddress()).toBe('127.0.0.1')
    expect(driver.hostAddresses).toContain('127.0.0.1')
  })

  const calls: [string, (driver: DeviceDriver, signal: AbortSignal) => Promise<unknown>][] = [
    ['status', (driver, signal) => driver.status(signal)],
    ['down', (driver, signal) => driver.down({ method: 'airplane_mode', holdMs: 1 }, signal)],
    ['up', (driver, signal) => driver.up(signal)],
  ]

  test.each(
    [
      [{ offline: true }, 'device_unreachable'],
      [{ unauthorized: true }, 'permission_denied'],
      [{ loginRequired: true }, 'auth_failed'],
    ].flatMap(([knobs, code]) => calls.map(([name, run]) => [knobs, name, code, run] as const)),
  )('with %j answers %s() with %s', async (knobs, _, code, run) => {
    const { driver, call } = await open(knobs as Record<string, unknown>)
    await expect(call((signal) => run(driver, signal))).rejects.toMatchObject({ code })
  })

  test('says that its SIM is missing, or its battery low', async () => {
    const { driver, call } = await open({ simMissing: true, batteryLow: true })
    expect(await call((signal) => driver.status(signal))).toMatchObject({ sim: 'missing', telemetry: { battery: 4 } })
  })

  test('does not answer as many calls as the knob says, then does', async () => {
    const { driver, call, clock } = await open({ timeoutTimes: 2 })
    const startedAt = clock.now()
    await expect(call((signal) => driver.status(signal))).rejects.toMatchObject({ code: 'device_unreachable' })
    await expect(call((signal) => driver.status(signal))).rejects.toMatchObject({ code: 'device_unreachable' })
    await call((signal) => driver.status(signal))
    expect(clock.now() - startedAt).toBe(20_000)
  })

  test('answers late', async () => {
    const { driver, call, clock } = await open({ lateReply: 700 })
    const startedAt = clock.now()
    await call((signal) => driver.status(signal))
    expect(clock.now() - startedAt).toBe(700)
  })

  test('is away from its bus after "on", and comes back by itself', async () => {
    const opened = await open({ reenumerate: 3_000 })
    await rotate(opened)
    expect(opened.driver.sourceAddress()).toBe('127.10.1.2')
    await opened.call((signal) => opened.driver.status(signal))
    await opened.call((signal) => opened.driver.down({ method: 'airplane_mode', holdMs: 1 }, signal))
    await opened.call((signal) => opened.driver.up(signal))
    await expect(opened.call((signal) => opened.driver.status(signal))).rejects.toMatchObject({ code: 'device_unreachable' })
  })

  test('that is denied by its carrier says no_registration', async () => {
    const opened = await open({ denyRegistration: 1 })
    await expect(rotate(opened)).rejects.toMatchObject({ code: 'no_registration' })
    await rotate(opened)
    expect(opened.driver.sourceAddress()).toBe('127.10.1.2')
  })

  test('that is stuck waits for as long as it is let', async () => {
    const opened = await open({ stuckProbability: 1 })
    await expect(rotate(opened)).rejects.toMatchObject({ code: 'device_unreachable' })
    expect(opened.driver.sourceAddress()).toBeNull()
  })

  test('with a wrong knob names it', async () => {
    await expect(open({ poolsize: 3, repeatProbability: -1 })).rejects.toMatchObject({
      code: 'bad_config',
      message: expect.stringMatching(
        /driverOptions\.repeatProbability \(--driver-options\).*\ndriverOptions \(--driver-options\).*poolsize/s,
      ),
    })
  })
})
