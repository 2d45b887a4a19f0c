import { expect, test } from 'vitest'
import { rotationRecord, T0 } from '../../../test/records.ts'
import { attemptTimeMs, ONE_HEARTBEAT_MS, ONE_RESTART_MS } from './attempt-time.ts'
import { beginAttempt } from './attempts.ts'
import { expire } from './rotation.ts'

test.each([
  ['an agent’s has the hub’s time', null, 'agent', false, 60_000, 60_000],
  ['one by URL has the hub’s time where the exit is measured', null, 'hub', true, 60_000, 60_000],
  ['one by URL lasts until a heartbeat must have come where nothing else tells', null, 'hub', false, 60_000, ONE_HEARTBEAT_MS],
  ['a longer time of the hub’s stays', null, 'hub', false, 120_000, 120_000],
  ['the device’s own time is taken at its word', 30, 'hub', false, 60_000, 30_000],
] as const)('an attempt: %s', (_case, rotationMaxTime, executor, isMeasurable, timeoutMs, expected) => {
  const device = { rotationMaxTime, rotationMethod: null }
  expect(attemptTimeMs(device, { requested: null, timeoutMs, executor, isMeasurable })).toBe(expected)
})

test.each([
  ['that is asked for has the time of a restart', null, null, 'device_reboot', 60_000, ONE_RESTART_MS],
  [
    'that is asked for is not cut by the time meant for the device’s own method',
    30,
    'airplane_mode',
    'device_reboot',
    60_000,
    ONE_RESTART_MS,
  ],
  ['that is the device’s own method has the time of a restart', null, 'device_reboot', null, 60_000, ONE_RESTART_MS],
  ['that is the device’s own method has the device’s own time', 120, 'device_reboot', null, 60_000, 120_000],
  ['has the hub’s time where that is longer', null, null, 'device_reboot', 600_000, 600_000],
] as const)('a restart %s', (_case, rotationMaxTime, rotationMethod, requested, timeoutMs, expected) => {
  const time = attemptTimeMs({ rotationMaxTime, rotationMethod }, { requested, timeoutMs, executor: 'agent', isMeasurable: false })
  expect(time).toBe(expected)
})

test('a device that takes four minutes to start is waited for, one that never comes back ends after five', () => {
  const device = { rotationMaxTime: null, rotationMethod: null }
  const maxTimeMs = attemptTimeMs(device, { requested: 'device_reboot', timeoutMs: 60_000, executor: 'agent', isMeasurable: false })
  const before = { v4: '127.10.3.1', v6: null, probed: null }
  const waiting = rotationRecord({ id: 'd1', name: 'busan-03' }, { requestedMethod: 'device_reboot', maxAttempts: 1 })
  const { rotation } = beginAttempt(waiting, '127.10.3.1', T0, { maxTimeMs, before, newId: () => 'new' })
  const running = { ...rotation, state: 'rotating' as const }
  for (let at = T0; at <= T0 + 245_000; at += 1_000) expect(expire(running, at)).toBeNull()
  expect(expire(running, T0 + 300_000)).toMatchObject({ state: 'failed', reason: 'deadline_exceeded' })
})
