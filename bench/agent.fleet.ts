/**
 * The proof of a fleet: `npm run fleet -- --devices 200 --minutes 10 --seed 1`. Simulated devices, half of them with random faults, under one
 * hub, rotated all the time. Fails when a rotation hangs or ends without a reason, or when a device is left switched off.
 */
import { parseArgs } from 'node:util'
import { createHub } from '@mobilepool/hub'
import { runFleet } from '../packages/agent/test/fleet/run-fleet.ts'

const { values } = parseArgs({
  options: {
    devices: { type: 'string', default: '200' },
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
  },
})
const devices = Number(values.devices)
const forMs = Number(values.minutes) * 60_000
const report = await runFleet(createHub, { seed: Number(values.seed), devices, forMs, rotationMs: 60_000, pauseMs: 10_000 })
const { rotations, ends, wrong, down, changedMs, overheadMs } = report

const quantile = (sorted: readonly number[], share: number): string =>
  sorted.length === 0 ? '-' : `${((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0) / 1_000).toFixed(2)} s`
console.log(`${devices} devices, ${values.minutes} min, seed ${values.seed}: ${rotations} rotations`)
console.log(
  `  ended: ${Object.entries(ends)
    .map(([end, count]) => `${end} ${count}`)
    .join(', ')}`,
)
console.log(`  order to verified new IP: p50 ${quantile(changedMs, 0.5)}, p95 ${quantile(changedMs, 0.95)}`)
console.log(`  of it ours, on devices without a fault: p50 ${quantile(overheadMs, 0.5)}, p95 ${quantile(overheadMs, 0.95)}`)
for (const problem of [...wrong, ...down.map((name) => `${name} is left switched off`)]) console.error(problem)
process.exitCode = wrong.length + down.length > 0 ? 1 : 0
