import { expect, test } from 'vitest'
import { runChaos } from './chaos/run-chaos.ts'

/** `npm run chaos` does twenty of them with 10,000 requests each; docs/reliability.md has the result. */
test.each([1, 2])(
  'seed %i: whatever devices do, every request ends, no body is wrong, no POST arrives twice, nothing is left',
  { timeout: 180_000 },
  async (seed) => {
    const { ends, retried, rotations, vanishings, arrived, ...must } = await runChaos({ seed, requests: 1_500 })
    expect(must).toMatchObject({ wrong: [], stuck: [], repeated: [], left: {} })
    // The run has to have been a hard one, and the pool has to have been of use.
    expect(ends.ok).toBeGreaterThan(500)
    expect(arrived).toBeGreaterThan(200)
    expect(Math.min(retried, rotations.changed ?? 0, vanishings)).toBeGreaterThan(3)
  },
)
