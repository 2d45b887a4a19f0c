import pino from 'pino'
import { expect, test } from 'vitest'
import { rotationRecord, T0 } from '../../../../test/records.ts'
import { newPendingDevice } from '../../device.ts'
import { addressesOf, seeAddress } from '../../exit-ip.ts'
import { attemptTimeMs } from '../attempt-time.ts'
import { beginAttempt } from '../attempts.ts'
import { type CallPort, runCall } from './run-call.ts'

/** A bare device behind a link, in virtual time: its heartbeats are all that tells of its exit. */
async function rotateByHeartbeats({ timeoutMs, firstBeatAfterMs }: { timeoutMs: number; firstBeatAfterMs: number }) {
  let now = T0
  const device = newPendingDevice('d1', 'tula-01', T0, { rotationInterval: 600, requestsPerMinute: null })
  Object.assign(device, { rotationUrl: 'http://box.example/rotate', exits: seeAddress(device.exits, '198.51.100.1', T0).exits })
  const maxTimeMs = attemptTimeMs(device, { requested: null, timeoutMs, executor: 'hub', isMeasurable: false })
  const before = { ...addressesOf(device.exits), probed: null }
  const begun = beginAttempt(rotationRecord(device), '198.51.100.1', T0, { maxTimeMs, before, newId: () => 'unused' })
  const steps: string[] = []
  let ended: Parameters<CallPort['end']>[0] | null = null
  const port: CallPort = {
    device,
    ...begun,
    drainMs: 3_000,
    advance: async ({ state }) => void steps.push(state),
    end: async (end) => {
      ended = end
    },
  }
  await runCall(
    port,
    {
      send: async () => ({ isAnswer: true, status: 200, headers: {}, text: 'OK', isCut: false }),
      probe: async () => null,
      isMeasurable: () => false,
      see: () => {},
      now: () => now,
      sleep: async (ms) => {
        now += ms
        if (now >= T0 + firstBeatAfterMs) device.exits = seeAddress(device.exits, '198.51.100.2', T0 + firstBeatAfterMs).exits
      },
      log: pino({ enabled: false }),
    },
    new AbortController().signal,
  )
  return { ended: ended as Parameters<CallPort['end']>[0] | null, tookMs: now - T0, steps }
}

test('a bare device whose next heartbeat comes after more than a minute has changed, not failed', async () => {
  const { ended, tookMs, steps } = await rotateByHeartbeats({ timeoutMs: 60_000, firstBeatAfterMs: 75_000 })
  expect(ended).toMatchObject({ state: 'changed', newIp: '198.51.100.2' })
  expect(steps).toEqual(['rotating', 'verifying'])
  expect(tookMs).toBeLessThanOrEqual(76_000)
})

test('one of which nothing is heard for 80 s has failed, and the record says what would help', async () => {
  const { ended, tookMs } = await rotateByHeartbeats({ timeoutMs: 60_000, firstBeatAfterMs: 200_000 })
  expect(ended).toMatchObject({ state: 'failed', reason: 'probe_failed', detail: expect.stringContaining('PUBLIC_URL') })
  expect(tookMs).toBe(80_000)
})
