import { expect, test } from 'vitest'
import { heldUntil, type QuietHours } from './quiet-hours.ts'

const berlin: QuietHours = { from: '23:00', to: '07:00', time_zone: 'Europe/Berlin', pierced_by: 'critical' }
const until = (now: string, severity: 'warning' | 'critical' = 'warning', quietHours: 'by_severity' | 'send' | 'hold' = 'by_severity') => {
  const held = heldUntil(severity, { quietHours }, berlin, Date.parse(now))
  return held === null ? null : new Date(held).toISOString()
}

test.each([
  ['before they begin', '2026-11-22T21:59:59Z', null],
  ['at their first minute', '2026-11-22T22:00:00Z', '2026-11-23T06:00:00.000Z'],
  ['past midnight', '2026-11-23T02:30:30Z', '2026-11-23T06:00:00.000Z'],
  ['at their end', '2026-11-23T06:00:00Z', null],
  ['in summer time', '2026-07-01T02:00:00Z', '2026-07-01T05:00:00.000Z'],
  ['in the night that is an hour shorter', '2026-03-28T23:00:00Z', '2026-03-29T05:00:00.000Z'],
  ['in the night that is an hour longer', '2026-10-24T22:00:00Z', '2026-10-25T06:00:00.000Z'],
])('a warning waits until the end of the quiet hours of the place: %s', (_, now, end) => {
  expect(until(now)).toBe(end)
})

test('what is severe enough goes through, unless its rule is held always; a rule that always sends does not wait', () => {
  const night = '2026-11-23T02:00:00Z'
  expect(until(night, 'critical')).toBeNull()
  expect(until(night, 'critical', 'hold')).toBe('2026-11-23T06:00:00.000Z')
  expect(until(night, 'warning', 'send')).toBeNull()
})
