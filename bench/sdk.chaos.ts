/**
 * The chaos proof: `npm run chaos -- --seeds 1..20 --requests 10000`. Fails when any run does; a seed that failed repeats its run.
 * It prints a Markdown table for docs/reliability.md.
 */
import { parseArgs } from 'node:util'
import { type ChaosReport, runChaos } from '../packages/sdk/test/chaos/run-chaos.ts'

const PARTS = 5
/** The heap counts as flat when a request leaves less than this behind: half of the smallest object that the pool makes for one, and above the noise. */
const FLAT_BYTES_PER_REQUEST = 250

/** Garbage collection itself leaves the heap this much larger or smaller from one look to the next. */
const NOISE_BYTES = 1_000_000

const { values } = parseArgs({ options: { seeds: { type: 'string', default: '1..20' }, requests: { type: 'string', default: '10000' } } })
const [first = 1, last = first] = values.seeds.split('..').map(Number)
const requests = Number(values.requests)

/** Bytes a request that the heap grew by from the second part to the last (the first fills caches); 0: no more than noise. */
function heapPerRequest({ heap }: ChaosReport): number {
  const [from = 0, to = from] = [heap[1], heap.at(-1)]
  return to - from < NOISE_BYTES ? 0 : (to - from) / ((requests * (heap.length - 2)) / PARTS)
}

const failed: number[] = []
console.log(
  '| seed | s | answered | errors | aborted or given up | retried | rotations | vanished | POSTs at the origin | twice | wrong | stuck | left | heap MB |',
)
console.log('|---|---|---|---|---|---|---|---|---|---|---|---|---|---|')
for (let seed = first; seed <= last; seed++) {
  const report = await runChaos({ seed, requests, parts: PARTS })
  const { ends, wrong, stuck, repeated, left, heap } = report
  const sum = (test: (what: string) => boolean): number =>
    Object.entries(ends).reduce<number>((total, [what, count]) => (test(what) ? total + (count ?? 0) : total), 0)
  const rotations = Object.values(report.rotations).reduce<number>((total, count) => total + (count ?? 0), 0)
  const cells = [
    seed,
    (report.durationMs / 1_000).toFixed(1),
    sum((what) => what === 'ok' || what.startsWith('status')),
    sum((what) => what.startsWith('MP_')),
    sum((what) => what === 'aborted' || what === 'given up' || what === 'patience over'),
    report.retried,
    rotations,
    report.vanishings,
    report.arrived,
    repeated.length,
    wrong.length,
    stuck.length,
    Object.keys(left).length,
    heap.map((bytes) => (bytes / 2 ** 20).toFixed(1)).join(' '),
  ]
  console.log(`| ${cells.join(' | ')} |`)
  const problems = [...wrong, ...stuck.map((id) => `stuck: ${id}`), ...repeated.map((id) => `twice: ${id}`)]
  if (Object.keys(left).length > 0) problems.push(`left: ${JSON.stringify(left)}`)
  if (heapPerRequest(report) > FLAT_BYTES_PER_REQUEST)
    problems.push(`the heap grew by ${Math.round(heapPerRequest(report))} bytes a request`)
  if (problems.length > 0) failed.push(seed)
  for (const problem of problems.slice(0, 20)) console.error(`seed ${seed}: ${problem}`)
}
console.log(
  failed.length === 0
    ? `\nAll ${last - first + 1} runs held.`
    : `\nFailed: seeds ${failed.join(', ')}. Again: npm run chaos -- --seeds ${failed[0]}..${failed[0]}`,
)
process.exitCode = failed.length === 0 ? 0 : 1
