import type { RotationState } from '@mobilepool/sdk/contract'
import { describe, expect, test } from 'vitest'
import { rotationRecord } from '../../test/records.ts'
import { type Device, newPendingDevice } from './device.ts'
import { isSilent, statusOf } from './status.ts'

const T0 = Date.parse('2026-11-22T03:00:00.000Z')
const S = 1_000
const timeouts = { agentMs: 60 * S, bareMs: 80 * S }
const bare = (lastHeartbeat: number | null) => ({ kind: 'bare' as const, lastHeartbeat })
const always = { since: 0, before: null }

test.each([
  ['bare', 79_999, false],
  ['bare', 80_000, true],
  ['agent', 59_999, false],
  ['agent', 60_000, true],
] as const)('a device (%s) silent for %d ms has timed out: %s', (kind, silentForMs, expected) => {
  expect(isSilent({ kind, lastHeartbeat: T0 }, T0 + silentForMs, always, timeouts)).toBe(expected)
})

test('a device that was never heard is silent', () => {
  expect(isSilent(bare(null), T0, { since: T0, before: T0 }, timeouts)).toBe(true)
})

describe('after the hub was away for an hour', () => {
  const stopped = T0
  const back = T0 + 3_600 * S
  const watch = { since: back, before: stopped }
  test('a device that was alive when it stopped gets its whole time-out again', () => {
    expect(isSilent(bare(stopped - 30 * S), back, watch, timeouts)).toBe(false)
    expect(isSilent(bare(stopped - 30 * S), back + 79 * S, watch, timeouts)).toBe(false)
    expect(isSilent(bare(stopped - 30 * S), back + 80 * S, watch, timeouts)).toBe(true)
  })
  test('a device that was silent before it stopped stays offline', () => {
    expect(isSilent(bare(stopped - 90 * S), back, watch, timeouts)).toBe(true)
  })
  test('a device that was heard between the last pulse and the stop counts as alive', () => {
    expect(isSilent(bare(stopped + 5 * S), back, watch, timeouts)).toBe(false)
  })
  test('a device that came back and fell silent again has no grace left', () => {
    expect(isSilent(bare(back + 1), back + 1 + 80 * S, watch, timeouts)).toBe(true)
  })
})

test('a hub that never ran before knows nothing of older heartbeats', () => {
  expect(isSilent(bare(T0 - 100 * S), T0, { since: T0, before: null }, timeouts)).toBe(true)
})

describe('a status', () => {
  const rotation = (state: RotationState): Device['rotation'] => rotationRecord({ id: 'd', name: 'busan-03' }, { state })
  const alive = (over: Partial<Device>): Device => ({
    ...newPendingDevice('d', 'busan-03', T0, { rotationInterval: 600, requestsPerMinute: null }),
    adoptedAt: T0,
    lastHeartbeat: T0,
    ...over,
  })
  test.each([
    ['pending', alive({ adoptedAt: null, maintenance: true })],
    ['maintenance', alive({ maintenance: true, rotation: rotation('rotating') })],
    ['online', alive({})],
    ['online', alive({ rotation: rotation('queued') })],
    ['rotating', alive({ rotation: rotation('draining') })],
    ['rotating', alive({ rotation: rotation('rotating') })],
    ['rotating', alive({ rotation: rotation('verifying'), lastHeartbeat: T0 - 3_600 * S })],
    ['offline', alive({ lastHeartbeat: T0 - 3_600 * S })],
    ['offline', alive({ lastHeartbeat: null })],
  ] as const)('is %s', (expected, device) => {
    expect(statusOf(device, T0, always, timeouts)).toBe(expected)
  })
})

test.each([
  ['online', {}, 'busy'],
  ['offline', { lastHeartbeat: null }, 'offline'],
  ['in maintenance', { maintenance: true }, 'maintenance'],
  ['rotating', { rotation: rotationRecord({ id: 'd', name: 'busan-03' }, { state: 'draining' }) }, 'rotating'],
] as const)('a device that is %s and full at the gateway', (_what, over, status) => {
  const defaults = { rotationInterval: 600, requestsPerMinute: null }
  const device: Device = { ...newPendingDevice('d', 'busan-03', T0, defaults), adoptedAt: T0, lastHeartbeat: T0, ...over }
  expect(statusOf(device, T0 + S, always, timeouts, true)).toBe(status)
})
