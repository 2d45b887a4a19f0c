/**
 * The pool in process against proxy-chain as a process in front, over the same ten upstream proxies, under the same client load.
 * CPU is that of the client and, for proxy-chain, of its process. The upstreams are another process and not counted.
 */
import { MobilePool } from '@mobilepool/sdk'
import { startChild } from '../packages/sdk/test/servers/child.ts'
import { alternate, type Subject } from './harness/alternate.ts'
import { bareForwards, bareTunnels } from './harness/bare-undici.ts'
import type { CannedCalls } from './harness/canned-devices.ts'
import { type Dispatching, Load } from './harness/load.ts'
import type { ProxyServerCalls } from './harness/proxy-chain-server.ts'
import { report, table } from './harness/report.ts'
import { median, paired, spread } from './harness/statistics.ts'

const DEVICES = 10
const CONCURRENCY = 50
const ROUNDS = 10
const SLICE_MS = 300
const HOST = 'shop.example.test'
const TLS = { rejectUnauthorized: false }

/** `cold`: every request on a connection of its own. */
const KINDS = [
  { name: 'http, kept alive', scheme: 'http', isCold: false },
  { name: 'https, kept alive', scheme: 'https', isCold: false },
  { name: 'https, a connection each', scheme: 'https', isCold: true },
] as const

const devices = await startChild<CannedCalls>(new URL('./harness/canned-devices.ts', import.meta.url), [String(DEVICES)])
const urls = await devices.ask('urls')
const chain = await startChild<ProxyServerCalls>(new URL('./harness/proxy-chain-server.ts', import.meta.url), urls)
const chainUrl = await chain.ask('url')

const rows: (string | number)[][] = []
for (const { name, scheme, isCold } of KINDS) {
  const pool = new MobilePool({ devices: urls, requestTls: TLS })
  const bare = scheme === 'http' ? bareForwards(chainUrl) : bareTunnels(chainUrl, TLS)
  const origin = `${scheme}://${HOST}`
  const request = {
    origin,
    path: '/catalogue?page=1',
    method: 'GET',
    headers: { accept: 'text/html', 'user-agent': 'bench' },
    reset: isCold,
  }
  const throughChain =
    scheme === 'http' ? { ...request, origin: chainUrl, path: origin + request.path, headers: { ...request.headers, host: HOST } } : request
  const subjects: Subject[] = [
    { name: 'pool', load: new Load(pool as unknown as Dispatching, request, CONCURRENCY) },
    { name: 'chain', load: new Load(bare, throughChain, CONCURRENCY), cpuElsewhere: () => chain.ask('cpu') },
  ]
  const slices = await alternate(subjects, { rounds: ROUNDS, sliceMs: SLICE_MS })
  const [ofPool = [], ofChain = []] = ['pool', 'chain'].map((subject) => slices.get(subject))
  const rate = (from: typeof ofPool): string => median(from.map(({ perSecond }) => perSecond)).toFixed(0)
  const cpu = (from: typeof ofPool): number[] => from.map(({ cpuUs }) => cpuUs)
  rows.push([
    name,
    rate(ofPool),
    rate(ofChain),
    median(cpu(ofPool)).toFixed(0),
    median(cpu(ofChain)).toFixed(0),
    spread(
      paired(cpu(ofPool), cpu(ofChain), (one, other) => one / other),
      2,
    ),
  ])
  await pool.close()
  await bare.close()
}
await chain.stop()
await devices.stop()
report(
  'sdk.proxy-chain',
  table(['', 'pool, req/s', 'proxy-chain, req/s', 'pool, CPU us', 'proxy-chain, CPU us', 'CPU ratio (middle half)'], rows),
)
