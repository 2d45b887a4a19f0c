import type { RotationFailure } from '@mobilepool/sdk/contract'
import { describe, expect, test } from 'vitest'
import { rotationRecord, T0 } from '../../../test/records.ts'
import type { RotationRecord } from '../../store/index.ts'
import { afterAttempt, beginAttempt, endAttempt, LONGEST_WAIT_MS } from './attempts.ts'
import { end } from './rotation.ts'

const busan = { id: 'd1', name: 'busan-03' }
const [A, B, C] = ['127.10.3.1', '127.10.3.2', '127.10.3.3'] as const
const running = (over: Partial<RotationRecord> = {}): RotationRecord =>
  rotationRecord(busan, { state: 'verifying', attempt: 1, oldIp: A, startedAt: T0, deadlineAt: T0 + 60_000, ...over })
const before = { v4: A, v6: null, probed: null }
const NOW = T0 + 20_000
const after = { retryDelayMs: 10_000 }
const failed = (of: RotationRecord, reason: RotationFailure): RotationRecord => end(of, 'failed', NOW, { reason, detail: 'because' })

describe('an attempt', () => {
  test('begins with the turn: the first under the rotation’s id, from the address seen then', () => {
    const waiting = rotationRecord(busan, { oldIp: A })
    const { rotation, attempt } = beginAttempt(waiting, B, T0 + 5_000, { maxTimeMs: 60_000, before, newId: () => 'new' })
    expect(rotation).toMatchObject({
      state: 'draining',
      attempt: 1,
      oldIp: B,
      startedAt: T0 + 5_000,
      deadlineAt: T0 + 65_000,
      notBefore: null,
    })
    expect(attempt).toMatchObject({ id: waiting.id, rotationId: waiting.id, number: 1, cause: 'asked', oldIp: B, startedAt: T0 + 5_000 })
  })

  test('that is another one has an id of its own; the rotation keeps its first address and beginning', () => {
    const waiting = running({ state: 'queued', deadlineAt: null })
    const { rotation, attempt } = beginAttempt(waiting, B, T0 + 70_000, { maxTimeMs: 30_000, before, newId: () => 'new' })
    expect(rotation).toMatchObject({ attempt: 2, oldIp: A, startedAt: T0, deadlineAt: T0 + 100_000 })
    expect(attempt).toMatchObject({ id: 'new', number: 2, cause: 'retry', oldIp: B })
    expect(beginAttempt({ ...waiting, newIp: B }, B, T0, { maxTimeMs: 1, before, newId: () => 'new' }).attempt.cause).toBe('unique')
  })

  test('is closed as it ended', () => {
    const { attempt } = beginAttempt(rotationRecord(busan), A, T0, { maxTimeMs: 60_000, before, newId: () => 'new' })
    expect(endAttempt(attempt, end(running({ method: 'api_call' }), 'changed', NOW, { newIp: B }))).toMatchObject({
      outcome: 'changed',
      method: 'api_call',
      oldIp: A,
      newIp: B,
      endedAt: NOW,
    })
  })
})

describe('after an attempt', () => {
  test('that changed the IP the rotation is over', () => {
    const ended = end(running(), 'changed', NOW, { newIp: B })
    expect(afterAttempt(running(), ended, after)).toBe(ended)
  })

  test.each([
    ['unchanged', end(running(), 'unchanged', NOW, { newIp: A })],
    ['device_unreachable', failed(running(), 'device_unreachable')],
    ['deadline_exceeded', failed(running(), 'deadline_exceeded')],
    ['probe_failed', failed(running(), 'probe_failed')],
    ['too_soon', failed(running(), 'too_soon')],
  ])('that ended with %s there is another one, after the pause', (_case, ended) => {
    const next = afterAttempt(running(), ended, after)
    expect(next).toMatchObject({
      state: 'queued',
      notBefore: NOW + 10_000,
      deadlineAt: null,
      endedAt: null,
      newIp: null,
      reason: null,
      attempt: 1,
    })
    expect(next.detail).toMatch(/^Attempt 1 of 3: /)
  })

  test.each(['canceled', 'unsupported', 'permission_denied', 'auth_failed', 'sim_missing', 'sim_locked', 'egress_leak'] as const)(
    'that ended with %s there is none',
    (reason) => {
      const ended = failed(running(), reason)
      expect(afterAttempt(running(), ended, after)).toBe(ended)
    },
  )

  test('that was the last one the rotation ends as it did', () => {
    const last = running({ attempt: 3 })
    const ended = end(last, 'unchanged', NOW, { newIp: A })
    expect(afterAttempt(last, ended, after)).toBe(ended)
  })

  test('a provider that asks for a longer pause gets it, but not for ever', () => {
    const ended = failed(running(), 'too_soon')
    expect(afterAttempt(running(), ended, { ...after, waitMs: 37_000 }).notBefore).toBe(NOW + 37_000)
    expect(afterAttempt(running(), ended, { ...after, waitMs: 2_000 }).notBefore).toBe(NOW + 10_000)
    expect(afterAttempt(running(), ended, { ...after, waitMs: LONGEST_WAIT_MS + 1 })).toBe(ended)
  })
})

describe('with `unique`', () => {
  const wants = (over: Partial<RotationRecord> = {}): RotationRecord => running({ uniqueWithin: '24h', ...over })

  test('an IP that was seen within the time brings another attempt, which knows that the IP did change', () => {
    const ended = end(wants(), 'changed', NOW, { newIp: B })
    expect(afterAttempt(wants(), ended, { ...after, seenBeforeAt: NOW - 3 * 3_600_000 })).toMatchObject({
      state: 'queued',
      newIp: B,
      detail: 'Attempt 1 of 3: 127.10.3.2 was seen 3 h ago already, within 24h.',
    })
  })

  test('an IP that was not seen is the end', () => {
    const ended = end(wants({ attempt: 2, newIp: B }), 'changed', NOW, { newIp: C })
    expect(afterAttempt(wants({ attempt: 2, newIp: B }), ended, after)).toBe(ended)
  })

  test('a seen IP at the last attempt is a change all the same, and the record says that it was seen', () => {
    const last = wants({ attempt: 3 })
    const next = afterAttempt(last, end(last, 'changed', NOW, { newIp: B }), { ...after, seenBeforeAt: NOW - 60_000 })
    expect(next).toMatchObject({ state: 'changed', newIp: B, detail: '127.10.3.2 was seen 1 min ago already, within 24h.' })
  })

  test('a last attempt that leaves the seen IP in place does not undo the change', () => {
    const last = wants({ attempt: 3, newIp: B })
    expect(afterAttempt(last, end(last, 'unchanged', NOW, { newIp: B }), after)).toMatchObject({
      state: 'changed',
      newIp: B,
      detail: '127.10.3.2 is new, but was seen within 24h.',
    })
  })

  test('a retry that fails keeps what is known of the change', () => {
    const second = wants({ attempt: 2, newIp: B })
    expect(afterAttempt(second, failed(second, 'device_unreachable'), after)).toMatchObject({ state: 'queued', newIp: B })
  })
})
