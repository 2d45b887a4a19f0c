import { pino } from 'pino'
import { expect, test } from 'vitest'
import { VirtualClock } from '../test/virtual-clock.ts'
import { AgentError } from './errors.ts'
import { watchOver } from './watchdog.ts'

test('a device found off is switched on, but not while it is rotating, and a device that does not answer is asked again', async () => {
  const clock = new VirtualClock()
  const stop = new AbortController()
  const device: { isDown: boolean; isRotating: boolean; isDeaf: boolean; ups: number } = {
    isDown: false,
    isRotating: false,
    isDeaf: false,
    ups: 0,
  }
  const driver = {
    status: async () => {
      if (device.isDeaf) throw new AgentError('device_unreachable', 'deaf')
      return { sim: 'ready' as const, isDown: device.isDown, telemetry: {} }
    },
    up: async () => {
      device.ups += 1
      device.isDown = false
    },
  }
  const watching = watchOver({ driver, isRotating: () => device.isRotating }, clock, pino({ level: 'silent' }), stop.signal)
  await clock.advance(120_000)
  expect(device.ups).toBe(0)
  Object.assign(device, { isDown: true, isRotating: true })
  await clock.advance(120_000)
  expect(device.ups).toBe(0)
  Object.assign(device, { isRotating: false, isDeaf: true })
  await clock.advance(120_000)
  expect(device.ups).toBe(0)
  device.isDeaf = false
  await clock.advance(60_000)
  expect(device).toMatchObject({ ups: 1, isDown: false })
  stop.abort(new Error('stop'))
  await clock.run(watching)
  expect(clock.sleeping).toBe(0)
})
