import fc from 'fast-check'
import { expect, test } from 'vitest'
import { openSimulatedDriver } from '../src/drivers/simulated.ts'
import { AgentError } from '../src/errors.ts'
import type { RotationPorts } from '../src/rotation/ports.ts'
import { rotate } from '../src/rotation/rotate.ts'
import { VirtualClock } from './virtual-clock.ts'

const probability = fc.constantFrom(0, 0, 0.3, 1)
/** Most devices do not have it. */
const rarely = fc.nat({ max: 11 }).map((dice) => dice === 0)
const count = fc.constantFrom(0, 0, 1, 3)

const faults = fc.record({
  seed: fc.nat(),
  poolSize: fc.integer({ min: 1, max: 8 }),
  changeAfterHoldMs: fc.constantFrom(0, 300, 4_000, 60_000),
  holdsMs: fc.array(fc.integer({ min: 100, max: 45_000 }), { minLength: 1, maxLength: 3 }),
  attachDelayMs: fc.constantFrom(0, 500, 20_000, 60_000),
  repeatProbability: probability,
  stuckProbability: probability,
  autoReconnectDuringHold: rarely,
  denyRegistration: count,
  simMissing: rarely,
  loginRequired: rarely,
  timeoutTimes: count,
  reenumerate: fc.constantFrom(0, 0, 2_000, 8_000),
  lateReply: fc.constantFrom(0, 0, 900),
  offline: rarely,
  unauthorized: rarely,
  leak: rarely,
})
type Faults = typeof faults extends fc.Arbitrary<infer T> ? T : never

/** One device with these faults, rotated once; at `stopAfterMs` its agent is asked to stop. */
async function rotateOnce(knobs: Faults, deadlineMs: number, stopAfterMs: number | null) {
  const clock = new VirtualClock()
  const kept: unknown[] = []
  const stateDir = { read: async () => null, write: async (_: string, content: unknown) => void kept.push(content) }
  const driver = await openSimulatedDriver({ ...knobs, firstAddress: '127.10.1.1' }, { clock, stateDir })
  const fence: boolean[] = []
  const ports: RotationPorts = {
    clock,
    driver,
    traffic: {
      fence: () => void fence.push(true),
      unfence: () => void fence.push(false),
      drained: () => new Promise(() => {}),
      cut: () => {},
    },
    probe: async () => {
      const address = driver.sourceAddress()
      if (address === null) throw new AgentError('probe_failed', 'offline')
      if (driver.hostAddresses.includes(address)) throw new AgentError('egress_leak', 'leak')
      return address
    },
    lastExitIp: () => null,
    progress: async () => {},
    keep: async () => {},
  }
  const stop = new AbortController()
  const startedAt = clock.now()
  const stopped = new AbortController()
  if (stopAfterMs !== null)
    clock.sleep(stopAfterMs, stopped.signal).then(
      () => stop.abort(new AgentError('canceled', 'stop')),
      () => {},
    )
  const before = driver.sourceAddress()
  const result = await clock.run(rotate({ method: null, drainMs: 1_000, deadlineAt: startedAt + deadlineMs }, ports, stop.signal))
  stopped.abort()
  const isDown = (kept.at(-1) as { radio?: string } | undefined)?.radio === 'off'
  return {
    result,
    tookMs: clock.now() - startedAt,
    isDown,
    isFenced: fence.at(-1),
    sleeping: clock.sleeping,
    before,
    after: driver.sourceAddress(),
  }
}

test('whatever is wrong with a device, its rotation ends in time, truly told, with the device on and nothing left behind', async () => {
  const outcomes = new Map<string, number>()
  await fc.assert(
    fc.asyncProperty(
      faults,
      fc.integer({ min: 1_000, max: 150_000 }),
      fc.option(fc.integer({ min: 0, max: 100_000 })),
      async (knobs, deadlineMs, stopAfterMs) => {
        const { result, tookMs, isDown, isFenced, sleeping, before, after } = await rotateOnce(knobs, deadlineMs, stopAfterMs)
        const name = result.state === 'failed' ? result.reason : result.state
        outcomes.set(name, (outcomes.get(name) ?? 0) + 1)
        expect(['changed', 'unchanged', 'failed']).toContain(result.state)
        if (result.state === 'changed') expect([result.oldIp, result.newIp]).toEqual([before, after])
        if (result.state === 'changed') expect(after).not.toBe(before)
        if (result.state === 'unchanged') expect(after).toBe(before)
        // A control channel that is broken for good cannot be used to switch anything off either.
        expect({ isDown, isFenced, sleeping }).toEqual({ isDown: false, isFenced: false, sleeping: 0 })
        // The deadline, and then switching on: five tries of ten seconds with a second in between.
        expect(tookMs).toBeLessThanOrEqual(deadlineMs + 54_000)
      },
    ),
    { numRuns: 600, seed: 20_261_122 },
  )
  // The faults reach every kind of end that a simulated device can have.
  expect([...outcomes.keys()]).toEqual(expect.arrayContaining(['changed', 'unchanged', 'deadline_exceeded', 'canceled', 'egress_leak']))
  expect(outcomes.size).toBeGreaterThanOrEqual(9)
})
