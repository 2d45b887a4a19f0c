import { expect, test } from 'vitest'
import { createHub } from '../../hub/src/index.ts'
import { runFleet } from './fleet/run-fleet.ts'

test('a fleet with random faults: every rotation ends truly told, and no device is left switched off', async () => {
  const { rotations, ends, wrong, down, changedMs } = await runFleet(createHub, {
    seed: 6,
    devices: 12,
    forMs: 4_000,
    rotationMs: 8_000,
    pauseMs: 300,
  })
  console.log(`${rotations} rotations: ${JSON.stringify(ends)}`)
  expect({ wrong, down }).toEqual({ wrong: [], down: [] })
  expect(rotations).toBeGreaterThanOrEqual(12)
  expect(changedMs.length).toBeGreaterThanOrEqual(6)
  // The faults are there.
  expect(Object.keys(ends).length).toBeGreaterThanOrEqual(2)
}, 120_000)
