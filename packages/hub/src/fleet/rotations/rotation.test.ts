import type { CommandReportJson, RotationState } from '@mobilepool/sdk/contract'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { rotationRecord, T0 } from '../../../test/records.ts'
import type { RotationRecord, SeenBefore } from '../../store/index.ts'
import { applyReport, expire, rotationSlots } from './rotation.ts'

const OLD = '127.10.3.1'
const NEW = '127.10.3.2'
const before: SeenBefore = { v4: OLD, v6: null, probed: null }

const rotation = (over: Partial<RotationRecord> = {}): RotationRecord =>
  rotationRecord(
    { id: 'd1', name: 'busan-03' },
    { state: 'draining', attempt: 1, oldIp: OLD, startedAt: T0, deadlineAt: T0 + 60_000, ...over },
  )

const report = (state: CommandReportJson['state'], over: Partial<CommandReportJson> = {}): CommandReportJson => ({
  state,
  method: 'airplane_mode',
  old_ip: OLD,
  new_ip: null,
  reason: null,
  detail: null,
  ...over,
})

describe('the verdict is the hub’s own', () => {
  test.each([
    ['changed, and seen so', report('changed', { new_ip: NEW }), NEW, 'changed'],
    ['changed, but seen where it was', report('changed', { new_ip: NEW }), OLD, 'unchanged'],
    ['unchanged, and seen so', report('unchanged', { new_ip: OLD }), OLD, 'unchanged'],
    ['unchanged, but seen elsewhere', report('unchanged', { new_ip: OLD }), NEW, 'changed'],
    ['unchanged at an address that the hub had not seen yet', report('unchanged', { old_ip: NEW, new_ip: NEW }), NEW, 'unchanged'],
    ['failed, although seen elsewhere (it may have leaked)', report('failed', { reason: 'egress_leak' }), NEW, 'failed'],
    ['failed without a word, seen where it was', report('failed'), OLD, 'failed'],
    ['failed for want of its own probe, seen elsewhere', report('failed', { reason: 'probe_failed' }), NEW, 'changed'],
    ['failed for want of its own probe, seen where it was', report('failed', { reason: 'probe_failed' }), OLD, 'failed'],
    ['changed to another family, which cannot be compared', report('changed', { new_ip: '2001:db8::1' }), '2001:db8::1', 'failed'],
  ] as const)('the agent says %s', (_case, said, seenIp, expected) => {
    const { rotation: ended } = applyReport(rotation(), before, said, seenIp, T0 + 20_000)
    expect(ended).toMatchObject({ state: expected, endedAt: T0 + 20_000, method: 'airplane_mode' })
    expect(ended.newIp).toBe(expected === 'failed' ? null : seenIp)
  })

  test('where agent and hub disagree, the record says so', () => {
    const { rotation: ended } = applyReport(rotation(), before, report('changed', { new_ip: NEW }), OLD, T0)
    expect(ended.detail).toBe(`The agent reported changed, the hub saw ${OLD}: unchanged.`)
  })

  test('no report whatever makes a change of an address that stayed', () => {
    const anyReport = fc.record<CommandReportJson>({
      state: fc.constantFrom('draining', 'rotating', 'verifying', 'changed', 'unchanged', 'failed'),
      method: fc.constantFrom(null, 'airplane_mode'),
      old_ip: fc.constantFrom(null, OLD, NEW),
      new_ip: fc.constantFrom(null, OLD, NEW, '198.51.100.9'),
      reason: fc.constantFrom(null, 'probe_failed', 'egress_leak', 'busy'),
      detail: fc.constantFrom(null, 'x'.repeat(500)),
    })
    fc.assert(
      fc.property(fc.array(anyReport, { minLength: 1, maxLength: 6 }), (reports) => {
        let state = { rotation: rotation(), before }
        for (const said of reports) if (state.rotation.endedAt === null) state = applyReport(state.rotation, state.before, said, OLD, T0)
        expect(state.rotation.state).not.toBe('changed')
      }),
    )
  })
})

describe('progress', () => {
  test('never goes back', () => {
    const order: RotationState[] = ['draining', 'rotating', 'verifying']
    for (const from of order)
      for (const to of order) {
        const { rotation: next } = applyReport(rotation({ state: from }), before, report(to as 'draining'), OLD, T0)
        expect(next.state).toBe(order[Math.max(order.indexOf(from), order.indexOf(to))])
      }
  })

  test('the address before is made fresh by a report that agrees with what it says of it', () => {
    const moved = '127.10.3.9'
    const result = applyReport(rotation(), before, report('draining', { old_ip: moved }), moved, T0 + 1)
    expect(result.rotation.oldIp).toBe(moved)
    expect(applyReport(result.rotation, result.before, report('unchanged', { old_ip: null }), moved, T0 + 2).rotation.state).toBe(
      'unchanged',
    )
  })

  test('a report of the beginning that arrives late, from the new address, does not spoil the comparison', () => {
    const late = applyReport(rotation(), before, report('rotating', { old_ip: OLD }), NEW, T0 + 10_000)
    expect(late.rotation.oldIp).toBe(OLD)
    expect(applyReport(late.rotation, late.before, report('changed', { new_ip: NEW }), NEW, T0 + 11_000).rotation.state).toBe('changed')
  })
})

describe('a deadline', () => {
  test.each(['draining', 'rotating', 'verifying'] as const)('ends a rotation that is %s', (state) => {
    expect(expire(rotation({ state }), T0 + 59_999)).toBeNull()
    expect(expire(rotation({ state }), T0 + 60_000)).toMatchObject({ state: 'failed', reason: 'deadline_exceeded', endedAt: T0 + 60_000 })
  })
  test('does not run while a rotation waits for its turn', () => {
    expect(expire(rotation({ state: 'queued', deadlineAt: null }), T0 + 3_600_000)).toBeNull()
  })
})

test.each([
  [1, 0.25, 1],
  [5, 0.25, 1],
  [8, 0.25, 2],
  [50, 0.1, 5],
  [3, 1, 3],
  [0, 1, 1],
])('of %d devices at a share of %d, %d may rotate at once', (devices, share, expected) => {
  expect(rotationSlots(devices, share)).toBe(expected)
})
