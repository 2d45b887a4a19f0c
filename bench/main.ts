/** `npm run bench`: every benchmark, one after the other; `-- --write` puts the results into docs/benchmarks.md. */
import { spawnSync } from 'node:child_process'

const BENCHES = ['sdk.overhead', 'sdk.pick', 'sdk.proxy-chain', 'sdk.faults', 'hub.heartbeats', 'hub.reads']

let failed = 0
for (const name of BENCHES) {
  const script = new URL(`./${name}.ts`, import.meta.url).pathname
  const { status } = spawnSync(process.execPath, [script, ...process.argv.slice(2)], { stdio: 'inherit' })
  if (status !== 0) {
    failed++
    console.error(`${name} failed`)
  }
}
process.exitCode = failed === 0 ? 0 : 1
