import { expect, test, vi } from 'vitest'
import { VirtualClock } from '../../../test/virtual-clock.ts'
import type { RotationJson } from '../../contract/index.ts'
import { MobilePoolError } from '../../errors.ts'
import { HubProblem } from './hub-client.ts'
import { HubRotations } from './hub-rotations.ts'

const queued: RotationJson = {
  id: '0190e7a2-0000-7000-8000-000000000001',
  device_id: '0190e7a2-0000-7000-8000-000000000002',
  device_name: 'busan-03',
  trigger: 'forced',
  method: 'airplane_mode',
  state: 'queued',
  old_ip: '127.10.3.1',
  new_ip: null,
  reason: null,
  detail: null,
  created_at: '2026-11-23T18:00:00.000Z',
  ended_at: null,
  duration_ms: null,
}
const changed: RotationJson = { ...queued, state: 'changed', new_ip: '127.10.3.2', duration_ms: 1_500 }

/** Rotations whose hub gives these answers when it is asked how far one is, the last for ever. */
function rotationsOf(...answers: readonly (RotationJson | Error)[]) {
  const clock = new VirtualClock()
  const listener = { onRotationRunning: vi.fn(), onRotationWaiting: vi.fn(), onRotationEnd: vi.fn() }
  let asked = 0
  const rotations: HubRotations = new HubRotations({
    client: {
      rotate: async () => {
        rotations.note(answers[0] === changed ? changed : queued)
        return queued
      },
      rotation: async () => {
        const answer = answers[Math.min(asked++, answers.length - 1)]
        if (answer instanceof Error || answer === undefined) throw answer
        return answer
      },
    },
    clock,
    listener,
    signal: new AbortController().signal,
  })
  return { rotations, clock, listener, asked: () => asked }
}

test('a rotation that has ended before its order was answered is over for whoever asked, and is told once', async () => {
  const { rotations, listener } = rotationsOf(changed)
  expect(await rotations.rotate('busan-03', 'forced', undefined)).toMatchObject({ outcome: 'changed', newIp: '127.10.3.2' })
  expect(listener.onRotationEnd).toHaveBeenCalledTimes(1)
})

test('a hub that is away for a while is asked again', async () => {
  const away = new MobilePoolError('MP_HUB_UNREACHABLE', 'away', { phase: 'hub' })
  const { rotations, clock, asked } = rotationsOf(away, away, changed)
  const rotating = rotations.rotate('busan-03', 'forced', undefined)
  for (const times of [1, 2]) {
    await vi.waitFor(() => expect(asked()).toBe(times))
    await clock.advance(5_000)
  }
  expect(await rotating).toMatchObject({ outcome: 'changed' })
})

test.each([
  ['an answer that breaks the contract', new MobilePoolError('MP_HUB_PROTOCOL', 'wrong', { phase: 'hub' }), 'MP_HUB_PROTOCOL'],
  [
    'a hub that does not know the rotation any more',
    new HubProblem({ type: 'about:blank', title: 'Not Found', status: 404, code: 'not_found', detail: 'no such rotation' }),
    'MP_UNKNOWN_DEVICE',
  ],
])('%s ends the wait at once', async (_what, error, code) => {
  const { rotations } = rotationsOf(error)
  await expect(rotations.rotate('busan-03', 'forced', undefined)).rejects.toMatchObject({ code })
})
