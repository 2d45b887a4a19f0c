import { expect, test } from 'vitest'
import { sampleAlert } from '../../../test/alert-samples.ts'
import { Flaps } from './flapping.ts'
import type { WatchedDevice } from './subjects.ts'

const MINUTE = 60_000
const device: WatchedDevice = {
  id: 'a',
  name: 'kazan-02',
  operator: null,
  region: null,
  lastHeartbeat: 0,
  silentSince: 0,
  isExempt: false,
  isRotating: false,
  battery: null,
}
const devices = new Map([['a', device]])
const alert = sampleAlert({ rule: 'flapping', subject: { kind: 'device', id: 'a', name: 'kazan-02' } })
const none = { all: [], find: () => null }
const firing = { all: [alert], find: () => alert }
const settings = (window: number) =>
  ({ enabled: true, threshold: 6, minimum: null, window, severity: 'warning', quietHours: 'by_severity', reminder: 0 }) as const

/** Seen online, then changed once a minute, so many times. */
function changed(times: number): Flaps {
  const flaps = new Flaps(-1_000 * MINUTE)
  for (let minute = 0; minute <= times; minute++) flaps.see('a', minute % 2 === 0, minute * MINUTE)
  return flaps
}

test('six changes within the window are flapping, five are not', () => {
  expect(changed(5).findings(devices, none, settings(3_600), 7 * MINUTE)).toEqual([])
  expect(changed(6).findings(devices, none, settings(3_600), 7 * MINUTE)).toMatchObject([{ verdict: 'bad', value: 6 }])
})

test('steady for half an hour it flaps no longer, though the window still holds its changes', () => {
  const flaps = changed(6)
  expect(flaps.findings(devices, firing, settings(3_600), 35 * MINUTE)).toMatchObject([{ verdict: 'bad' }])
  expect(flaps.findings(devices, firing, settings(3_600), 36 * MINUTE).map(({ verdict }) => verdict)).toEqual(['good'])
  expect(flaps.findings(devices, none, settings(3_600), 36 * MINUTE + 5_000)).toEqual([])
})

test('a window shorter than half an hour does not end it sooner', () => {
  const flaps = changed(6)
  expect(flaps.findings(devices, firing, settings(600), 20 * MINUTE)).toEqual([])
  expect(flaps.findings(devices, firing, settings(600), 36 * MINUTE)).toMatchObject([{ verdict: 'good' }])
})
