import pino from 'pino'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { HubError } from '../errors.ts'
import { startClockwork } from './clockwork.ts'

const T0 = Date.parse('2026-11-22T03:00:00.000Z')
const log = pino({ level: 'silent' })
beforeEach(() => vi.useFakeTimers({ now: T0 }))
afterEach(() => vi.useRealTimers())

const start = (beat: (at: number) => Promise<void> = async () => {}) => {
  const parts = {
    fleet: { tick: vi.fn(), resumeWatch: vi.fn() },
    rotations: { tick: vi.fn() },
    intervals: { tick: vi.fn() },
    quarantines: { tick: vi.fn() },
    vigilance: { tick: vi.fn() },
    recall: { tick: vi.fn() },
    tallies: { tick: vi.fn() },
    telemetry: { tick: vi.fn() },
    pulse: { beat: vi.fn(beat) },
  }
  return { ...parts, stop: startClockwork({ ...parts, log, now: Date.now }) }
}

test('once a second it looks after silences and rotations, every ten seconds it notes that it is at work', () => {
  const { fleet, rotations, pulse, stop } = start()
  vi.advanceTimersByTime(30_000)
  expect(fleet.tick).toHaveBeenCalledTimes(31)
  expect(rotations.tick).toHaveBeenCalledTimes(31)
  expect(pulse.beat.mock.calls).toEqual([[T0], [T0 + 10_000], [T0 + 20_000], [T0 + 30_000]])
  stop()
  vi.advanceTimersByTime(30_000)
  expect(fleet.tick).toHaveBeenCalledTimes(31)
})

test('a machine that slept does not blame its devices: the watch begins anew', () => {
  const { fleet, stop } = start()
  vi.advanceTimersByTime(5_000)
  expect(fleet.resumeWatch).not.toHaveBeenCalled()
  vi.setSystemTime(T0 + 3_600_000)
  vi.advanceTimersByTime(1_000)
  expect(fleet.resumeWatch.mock.calls).toEqual([[T0 + 5_000]])
  vi.advanceTimersByTime(5_000)
  expect(fleet.resumeWatch).toHaveBeenCalledTimes(1)
  stop()
})

test('a database that is away does not stop it', async () => {
  const { pulse, stop } = start(() => Promise.reject(new HubError('database_down', 'away')))
  await vi.advanceTimersByTimeAsync(20_000)
  expect(pulse.beat).toHaveBeenCalledTimes(3)
  stop()
})
