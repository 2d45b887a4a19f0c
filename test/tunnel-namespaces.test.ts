import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { whyNot } from '../bench/tunnel/namespaces.ts'

const missing = whyNot()
if (missing !== null) console.log(`skipped: network namespaces, since ${missing}`)

test.skipIf(missing !== null)(
  'behind a carrier’s NAT a device is reached by its tunnel alone, and is back after each fault',
  async () => {
    const bench = fileURLToPath(new URL('../bench/tunnel.recovery.ts', import.meta.url))
    const args = [bench, '--rounds', '1', '--link-down', '12', '--json']
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 170_000 })
    const results = JSON.parse(stdout) as { fault: string; ms: number[] }[]
    expect(results).toHaveLength(4)
    // A back-off of 5 s at most and two pings that stay away; what it takes on a quiet machine is in docs/benchmarks.md.
    for (const { fault, ms } of results) expect(Math.max(...ms), fault).toBeLessThan(30_000)
  },
  180_000,
)
