/**
 * The pool in process, and `pool.listen()` as a process in front, against proxy-chain as a process in front, over the same ten upstream
 * proxies, under the same client load. CPU is that of the client and of the process in front. The upstreams are another process and not counted.
 */
import { MobilePool } from '@mobilepool/sdk'
import { startChild } from '../packages/sdk/test/servers/child.ts'
import { alternate, type Subject } from './harness/alternate.ts'
import { bareForwards, bareTunnels } from './harness/bare-undici.ts'
import type { CannedCalls } from './harness/canned-devices.ts'
import type { ListenServerCalls } from './harness/listen-server.ts'
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
  { name: 'http, a connection each', scheme: 'http', isCold: true },
  { name: 'https, kept alive', scheme: 'https', isCold: false },
  { name: 'https, a connection each', scheme: 'https', isCold: true },
] as const

const devices = await startChild<CannedCalls>(new URL('./harness/canned-devices.ts', import.meta.url), [String(DEVICES)])
const urls = await devices.ask('urls')
const chain = await startChild<ProxyServerCalls>(new URL('./harness/proxy-chain-server.ts', import.meta.url), urls)
const chainUrl = await chain.ask('url')
const listener = await startChild<ListenServerCalls>(new URL('./harness/listen-server.ts', import.meta.url), urls)
const listenUrl = await listener.ask('url')

const rows: (string | number)[][] = []
for (const { name, scheme, isCold } of KINDS) {
  const pool = new MobilePool({ devices: urls, requestTls: TLS })
  const through = (url: string): Dispatching & { close(): Promise<void> } => (scheme === 'http' ? bareForwards(url) : bareTunnels(url, TLS))
  const [viaChain, viaListener] = [through(chainUrl), through(listenUrl)]
  const origin = `${scheme}://${HOST}`
  const request = {
    origin,
    path: '/catalogue?page=1',
    method: 'GET',
    headers: { accept: 'text/html', 'user-agent': 'bench' },
    reset: isCold,
  }
  const asProxyRequest = (url: string): object => {
    if (scheme !== 'http') return request
    const { username, password, origin: proxy } = new URL(url)
    const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
    const headers = { ...request.headers, host: HOST, ...(username === '' ? {} : { 'proxy-authorization': authorization }) }
    return { ...request, origin: proxy, path: origin + request.path, headers }
  }
  const subjects: Subject[] = [
    { name: 'pool', load: new Load(pool as unknown as Dispatching, request, CONCURRENCY) },
    { name: 'listen', load: new Load(viaListener, asProxyRequest(listenUrl), CONCURRENCY), cpuElsewhere: () => listener.ask('cpu') },
    { name: 'chain', load: new Load(viaChain, asProxyRequest(chainUrl), CONCURRENCY), cpuElsewhere: () => chain.ask('cpu') },
  ]
  const slices = await alternate(subjects, { rounds: ROUNDS, sliceMs: SLICE_MS })
  const [ofPool = [], ofListener = [], ofChain = []] = ['pool', 'listen', 'chain'].map((subject) => slices.get(subject))
  const rate = (from: typeof ofPool): string => median(from.map(({ perSecond }) => perSecond)).toFixed(0)
  const cpu = (from: typeof ofPool): number[] => from.map(({ cpuUs }) => cpuUs)
  const toChain = (from: typeof ofPool): string =>
    spread(
      paired(cpu(from), cpu(ofChain), (one, other) => one / other),
      2,
    )
  rows.push([
    name,
    ...[ofPool, ofListener, ofChain].map(rate),
    ...[ofPool, ofListener, ofChain].map((from) => median(cpu(from)).toFixed(0)),
    toChain(ofPool),
    toChain(ofListener),
  ])
  await pool.close()
  await viaChain.close()
  await viaListener.close()
}
await listener.stop()
await chain.stop()
await devices.stop()
report(
  'sdk.proxy-chain',
  table(
    [
      '',
      'pool, req/s',
      'listen(), req/s',
      'proxy-chain, req/s',
      'pool, CPU us',
      'listen(), CPU us',
      'proxy-chain, CPU us',
      'CPU: pool to proxy-chain (middle half)',
      'CPU: listen() to proxy-chain',
    ],
    rows,
  ),
)
