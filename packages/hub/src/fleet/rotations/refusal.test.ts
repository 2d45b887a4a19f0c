import { describe, expect, test } from 'vitest'
import { rotationRecord, T0 } from '../../../test/records.ts'
import { type Device, newPendingDevice } from '../device.ts'
import { executorOf } from './executor.ts'
import { refuseRotation } from './refusal.ts'

const URL = 'https://provider.example/changeip/t0ken'

describe('a rotation is refused', () => {
  const device = (over: Partial<Device> = {}): Device => ({
    ...newPendingDevice('d1', 'busan-03', T0, { rotationInterval: 600, requestsPerMinute: null }),
    kind: 'agent',
    adoptedAt: T0,
    methods: ['airplane_mode', 'data_toggle'],
    ...over,
  })
  const ended = (secondsAgo: number, reason: 'canceled' | null = null): Device['lastRotation'] => ({
    outcome: reason ? 'failed' : 'changed',
    trigger: 'forced',
    reason,
    endedAt: T0 - secondsAgo * 1_000,
    durationMs: 1,
  })
  test.each([
    ['for a pending name', device({ adoptedAt: null }), 'rotation_unsupported'],
    ['in maintenance', device({ maintenance: true }), 'rotation_unsupported'],
    ['for a bare device', device({ kind: 'bare' }), 'rotation_unsupported'],
    [
      'for a bare device with a method that takes an agent',
      device({ kind: 'bare', rotationMethod: 'airplane_mode', rotationUrl: URL }),
      'rotation_unsupported',
    ],
    ['by api_call without a URL', device({ rotationMethod: 'api_call' }), 'rotation_unsupported'],
    ['for an agent whose own method it cannot do', device({ rotationMethod: 'modem_reset' }), 'rotation_unsupported'],
    ['for an agent without a method', device({ methods: [] }), 'rotation_unsupported'],
    ['while one runs', device({ rotation: rotationRecord({ id: 'd1', name: 'busan-03' }, { id: 'r1' }) }), 'rotation_running'],
    ['within the minimum interval', device({ lastRotation: ended(59) }), 'rotation_too_soon'],
  ] as const)('%s', (_case, of, code) => {
    expect(refuseRotation(of, null, T0, 60_000)?.code).toBe(code)
  })
  test('and says when to come back, and what is in the way', () => {
    expect(refuseRotation(device({ lastRotation: ended(59) }), null, T0, 60_000)?.retryAfter).toBe(1)
    expect(
      refuseRotation(device({ rotation: rotationRecord({ id: 'd1', name: 'busan-03' }, { id: 'r1' }) }), null, T0, 60_000)?.rotationId,
    ).toBe('r1')
  })
  test('by a method that the device does not have, which it names', () => {
    expect(refuseRotation(device(), 'power_cycle', T0, 60_000)?.detail).toContain('airplane_mode, data_toggle')
  })
  test.each([
    ['a bare device with a rotation URL', device({ kind: 'bare', methods: [], rotationUrl: URL }), null, 'hub'],
    ['an agent with a rotation URL, by its own choice', device({ rotationUrl: URL }), null, 'agent'],
    ['an agent whose method is api_call', device({ rotationUrl: URL, rotationMethod: 'api_call' }), null, 'hub'],
    ['an agent asked for api_call', device({ rotationUrl: URL }), 'api_call', 'hub'],
    ['an agent whose driver calls an API itself', device({ methods: ['api_call'] }), 'api_call', 'agent'],
    ['an agent asked for its method', device({ rotationUrl: URL }), 'data_toggle', 'agent'],
  ] as const)('not for %s', (_case, of, method, executor) => {
    expect(refuseRotation(of, method, T0, 60_000)).toBeNull()
    expect(executorOf(of, method)).toBe(executor)
  })
  test('no longer when the interval has passed, nor after a canceled one, nor with an interval of 0', () => {
    expect(refuseRotation(device({ lastRotation: ended(60) }), null, T0, 60_000)).toBeNull()
    expect(refuseRotation(device({ lastRotation: ended(1, 'canceled') }), null, T0, 60_000)).toBeNull()
    expect(refuseRotation(device({ lastRotation: ended(0) }), null, T0, 0)).toBeNull()
    expect(refuseRotation(device(), 'data_toggle', T0, 60_000)).toBeNull()
  })
})
