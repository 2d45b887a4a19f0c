/**
 * What the pool costs a request: over undici's own Agent (https, CONNECT) and Pool (http, absolute form) with the same connector and one
 * proxy, taking turns in one process; the proxy is another process. Over connections in memory too, where nothing but code is left. CPU
 * time first; then, in a process whose young generation is so large that nothing is collected meanwhile, bytes of heap.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { MobilePool } from '@mobilepool/sdk'
import { startChild } from '../packages/sdk/test/servers/child.ts'
import { type Aim, judge } from './harness/aims.ts'
import { alternate } from './harness/alternate.ts'
import { bareForwards, bareInMemory, bareTunnels } from './harness/bare-undici.ts'
import type { CannedCalls } from './harness/canned-devices.ts'
import { type Dispatching, forMs, Load } from './harness/load.ts'
import { memoryPool } from './harness/memory-device.ts'
import { report, table } from './harness/report.ts'
import { confident, interval, median, paired } from './harness/statistics.ts'

const WAYS = ['in memory', 'http', 'https'] as const
type Way = (typeof WAYS)[number]
const CELLS = WAYS.flatMap((way) => [1, 50, 200].map((concurrency) => ({ way, concurrency })))
/** Many and short: the median's interval narrows with their number, and neighbours meet the same machine. */
const SLICES = { rounds: 120, sliceMs: 60, warmUpMs: 3_000 }
const BYTES_ROUNDS = 5
const BYTES_REQUESTS = 2_000
/** `max-semi-space-size` in MB: 2,000 requests allocate some 30 MB. */
const BYTES_FLAGS = ['--expose-gc', '--min-semi-space-size=128', '--max-semi-space-size=128', '--disable-warning=ExperimentalWarning']

/** undici's own keep every connection between the slices; more than the pool would keep by itself. */
const KEEP_ALL = { maxIdlePerDevice: 1_000 }

interface Bench {
  readonly bare: Load
  readonly pool: Load
}

const POOL = { perDevice: { concurrency: 1_000 }, keepAlive: KEEP_ALL }
const HEADERS = { accept: 'text/html', 'accept-encoding': 'gzip', 'user-agent': 'bench' }
const requestOf = (scheme: 'http' | 'https') => {
  return { origin: `${scheme}://shop.example.test`, path: '/catalogue?page=1', method: 'GET', headers: HEADERS }
}

/** The two, over connections that are made alike. */
const withBoth = <T>(way: Way, concurrency: number, measure: (loads: Bench) => Promise<T>): Promise<T> =>
  way === 'in memory' ? withMemory(concurrency, measure) : withProxy(way, concurrency, measure)

async function withMemory<T>(concurrency: number, measure: (loads: Bench) => Promise<T>): Promise<T> {
  const bare = bareInMemory()
  const pool = memoryPool(POOL)
  const request = requestOf('http')
  try {
    return await measure({
      bare: new Load(bare, request, concurrency),
      pool: new Load(pool.dispatcher as unknown as Dispatching, request, concurrency),
    })
  } finally {
    await pool.close()
    await bare.close()
  }
}

async function withProxy<T>(scheme: 'http' | 'https', concurrency: number, measure: (loads: Bench) => Promise<T>): Promise<T> {
  const proxy = await startChild<CannedCalls>(new URL('./harness/canned-devices.ts', import.meta.url), ['1'])
  const [url = ''] = await proxy.ask('urls')
  const requestTls = { rejectUnauthorized: false }
  const bare = scheme === 'http' ? bareForwards(url) : bareTunnels(url, requestTls)
  const pool = new MobilePool({ ...POOL, devices: [url], requestTls })
  const request = requestOf(scheme)
  const bareRequest =
    scheme === 'http'
      ? { ...request, origin: url, path: request.origin + request.path, headers: { ...HEADERS, host: 'shop.example.test' } }
      : request
  try {
    return await measure({
      bare: new Load(bare, bareRequest, concurrency),
      pool: new Load(pool as unknown as Dispatching, request, concurrency),
    })
  } finally {
    await pool.close()
    await bare.close()
    await proxy.stop()
  }
}

/** Heap bytes a request, bare and pool. */
const bytesOf =
  (load: Load, gc: () => void): (() => Promise<number>) =>
  async () => {
    gc()
    const before = process.memoryUsage().heapUsed
    let left = BYTES_REQUESTS
    const requests = await load.run(() => left-- > 0)
    return (process.memoryUsage().heapUsed - before) / requests
  }

interface Bytes {
  readonly bare: number
  readonly pool: number
}

async function measureBytes(gc: () => void): Promise<Bytes[]> {
  const results: Bytes[] = []
  for (const { way, concurrency } of CELLS) {
    results.push(
      await withBoth(way, concurrency, async ({ bare, pool }) => {
        const [ofBare, ofPool]: [number[], number[]] = [[], []]
        for (const load of [bare, pool]) await load.run(forMs(500))
        for (let round = 0; round < BYTES_ROUNDS; round++) {
          ofBare.push(await bytesOf(bare, gc)())
          ofPool.push(await bytesOf(pool, gc)())
        }
        return { bare: median(ofBare), pool: median(ofPool) }
      }),
    )
  }
  return results
}

if (process.argv[2] === 'bytes' && globalThis.gc !== undefined) {
  const results = await measureBytes(globalThis.gc)
  process.send?.(results)
  process.disconnect()
} else {
  const rows: (string | number)[][] = []
  const aims: Aim[] = []
  for (const { way, concurrency } of CELLS) {
    const slices = await withBoth(way, concurrency, ({ bare, pool }) =>
      alternate(
        [
          { name: 'bare', load: bare },
          { name: 'pool', load: pool },
        ],
        SLICES,
      ),
    )
    const [bare = [], pool = []] = ['bare', 'pool'].map((name) => slices.get(name)?.map(({ cpuUs }) => cpuUs))
    const more = paired(pool, bare, (one, other) => one - other)
    // The promise is broken when it is so beyond the noise of this machine.
    aims.push({ what: `${way}, ${concurrency} in flight, us more (low end)`, value: interval(more)[0], atMost: 3 })
    rows.push([`${way}, ${concurrency} in flight`, median(bare).toFixed(1), median(pool).toFixed(1), confident(more)])
  }
  const child = fork(import.meta.filename, ['bytes'], { execArgv: BYTES_FLAGS })
  const [bytes] = (await once(child, 'message')) as [Bytes[]]
  rows.forEach((row, index) => {
    const { bare = Number.NaN, pool = Number.NaN } = bytes[index] ?? {}
    row.push(Math.round(bare), Math.round(pool), `+${Math.round(pool - bare)}`)
    aims.push({ what: `${row[0]}, bytes more`, value: pool - bare, atMost: 1_024 })
  })
  report(
    'sdk.overhead',
    table(['', 'undici, us', 'pool, us', 'more, us (95 % interval)', 'undici, bytes', 'pool, bytes', 'more, bytes'], rows),
  )
  judge(aims)
}
