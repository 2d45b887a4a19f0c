import { expect, test } from 'vitest'
import { attemptTimeMs, ONE_HEARTBEAT_MS } from './attempt-time.ts'

test.each([
  ['an agent’s has the hub’s time', null, 'agent', false, 60_000, 60_000],
  ['one by URL has the hub’s time where the exit is measured', null, 'hub', true, 60_000, 60_000],
  ['one by URL lasts until a heartbeat must have come where nothing else tells', null, 'hub', false, 60_000, ONE_HEARTBEAT_MS],
  ['a longer time of the hub’s stays', null, 'hub', false, 120_000, 120_000],
  ['the device’s own time is taken at its word', 30, 'hub', false, 60_000, 30_000],
] as const)('an attempt: %s', (_case, rotationMaxTime, executor, isMeasurable, timeoutMs, expected) => {
  expect(attemptTimeMs({ rotationMaxTime }, { timeoutMs, executor, isMeasurable })).toBe(expected)
})
