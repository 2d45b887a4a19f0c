import { expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import { runFuzz } from './proxy-fuzz/run-fuzz.ts'

/** As many as `npm run fuzz` sends in CI; a tenth where somebody waits for it. */
const messages = Number(process.env.FUZZ_MESSAGES ?? (process.env.CI ? 200_000 : 20_000))
const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 1_000_000_007)

test(`${messages} mutated messages neither crash the proxy server, nor hang it, nor mix its clients up`, async () => {
  const startedAt = performance.now()
  const { findings, ...counts } = await runFuzz({ seed, messages })
  process.stdout.write(`fuzz: FUZZ_SEED=${seed} ${JSON.stringify(counts)} ${Math.round((performance.now() - startedAt) / 1_000)} s\n`)
  expect(findings).toEqual([])
  expect(counts.judged).toBeGreaterThanOrEqual(messages)
  await eventually('no socket is left', () => !process.getActiveResourcesInfo().some((kind) => kind.startsWith('TCP')))
}, 900_000)
