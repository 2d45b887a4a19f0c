import pino from 'pino'
import { expect, test } from 'vitest'
import { HubError } from '../errors.ts'
import { type Device, newPendingDevice } from './device.ts'
import { vigilDefaults } from './vigil.ts'
import { Vigilance } from './vigilance.ts'

const MIN = 60_000
const SILENT = 'The device has been silent for too long.'
const BACK = 'The device’s silence is over.'

/** One adopted device under watch, in virtual time; the database can be switched off. */
function scene(over: Partial<Device> = {}, flappingSince: number | null = null) {
  const device: Device = {
    ...newPendingDevice('d1', 'kazan-02', 0, { rotationInterval: 600, requestsPerMinute: null }),
    adoptedAt: 0,
    lastHeartbeat: 0,
    ...over,
  }
  const told: string[] = []
  const log = pino({ level: 'info' }, { write: (line) => void told.push(JSON.parse(line).msg) })
  const state: { now: number; isDatabaseUp: boolean } = { now: 0, isDatabaseUp: true }
  const written: (number | null)[] = []
  const vigilance = new Vigilance({
    fleet: {
      all: [device],
      sight: ({ lastHeartbeat }) => ({
        isSilent: lastHeartbeat === null || state.now - lastHeartbeat >= 80_000,
        silentFrom: lastHeartbeat,
        lastHeartbeat,
        now: state.now,
      }),
      changed: () => {},
    },
    store: {
      devices: {
        setSilences: async (devices) => {
          if (!state.isDatabaseUp) throw new HubError('database_down', 'away')
          written.push(...devices.map(({ silentSince }) => silentSince))
        },
      },
    },
    settings: () => vigilDefaults,
    flappingSince: (id) => (id === 'd1' ? flappingSince : null),
    log,
  })
  const until = async (at: number): Promise<void> => {
    for (; state.now <= at; state.now += 10_000) {
      vigilance.tick()
      // What was written must be done before the next second.
      await Promise.resolve()
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  return { device, told, written, state, until, vigilance }
}

test('a told silence is written, and its end too', async () => {
  const { device, told, written, until, state } = scene()
  await until(10 * MIN)
  expect({ told, written }).toEqual({ told: [SILENT], written: [0] })
  for (let n = 0; n < 4; n++) {
    device.lastHeartbeat = state.now
    await until(state.now + MIN)
  }
  expect({ told, written }).toEqual({ told: [SILENT, BACK], written: [0, null] })
})

test('what an absent database does not take is written when it is back', async () => {
  const { state, written, until } = scene()
  state.isDatabaseUp = false
  await until(10 * MIN)
  expect(written).toEqual([])
  state.isDatabaseUp = true
  await until(11 * MIN)
  expect(written).toEqual([0])
})

test('a device that is put into maintenance is no longer missed', async () => {
  const { device, told, written, until } = scene()
  await until(10 * MIN)
  device.maintenance = true
  await until(12 * MIN)
  expect({ told, written }).toEqual({ told: [SILENT, BACK], written: [0, null] })
})

test('nothing is told of a pending name, nor of a device that rotates', async () => {
  const pending = scene({ adoptedAt: null })
  await pending.until(20 * MIN)
  const rotating = scene({ rotation: { state: 'rotating' } as Device['rotation'] })
  await rotating.until(20 * MIN)
  expect([pending.told, rotating.told]).toEqual([[], []])
})

test('a device that was told to flap before the hub was started flaps until it is steady', async () => {
  const { device, told, until } = scene({}, -MIN)
  await until(MIN)
  expect(device.vigil).toMatchObject({ flappingSince: -MIN })
  await until(35 * MIN)
  expect(told).toEqual(['The device no longer comes and goes.', SILENT])
  expect(device.vigil).toMatchObject({ flappingSince: null, silentSince: 0 })
})
