/**
 * The hub's gateway against proxy-chain, tinyproxy, squid and haproxy (those that are installed) and a bare relay as the floor: each a
 * process of its own in front of the same device, which is its own target; and the gateway in front of an agent that has dialled it over
 * TLS. CPU and memory are those of the process in front.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { send } from '../packages/hub/test/client.ts'
import { startChild } from '../packages/sdk/test/servers/child.ts'
import type { BareRelayCalls } from './harness/bare-relay.ts'
import { type Front, idleTunnels, type Measured, requests, transfer, tunnels } from './harness/front-load.ts'
import { startPrograms } from './harness/front-programs.ts'
import type { GatewayDeviceCalls } from './harness/gateway-device.ts'
import { ADMIN_KEY, startHubProcess } from './harness/hub-process.ts'
import type { ProxyServerCalls } from './harness/proxy-chain-server.ts'
import { report, table } from './harness/report.ts'
import { median } from './harness/statistics.ts'
import { startTunnelFront } from './harness/tunnel-front.ts'

const ROUNDS = 5
const SLICE_MS = 1_500
/** Of each kind of load in front of each, before anything is measured: the hub's code is optimised after some seconds only. */
const WARM_UP_MS = 4_000
const TUNNELS_AT_A_TIME = 20
const REQUESTS_AT_A_TIME = 50
const IDLE = 1_000
const BYTES = 1_000_000_000
/** A crontab device is offline after 80 s of silence. */
const BEAT_MS = 20_000

const device = await startChild<GatewayDeviceCalls>(new URL('./harness/gateway-device.ts', import.meta.url))
const devicePort = await device.ask('port')
const relay = await startChild<BareRelayCalls>(new URL('./harness/bare-relay.ts', import.meta.url), [String(devicePort)])
const chain = await startChild<ProxyServerCalls>(new URL('./harness/proxy-chain-server.ts', import.meta.url), [
  `http://127.0.0.1:${devicePort}`,
])
const folder = await mkdtemp(join(tmpdir(), 'mobilepool-bench-hub-'))
const hub = await startHubProcess({ HUB_DATA_DIR: folder, GATEWAY_DEVICE_CONCURRENCY: '10000', GATEWAY_ALLOW_PRIVATE: 'true' })
const beat = (): Promise<unknown> => send(`${hub.url}/proxy_server?name=bench`)
await beat()
const added = await send(`${hub.url}/api/v1/admin/devices`, {
  method: 'POST',
  key: ADMIN_KEY,
  body: { name: 'bench', proxy_url: `http://127.0.0.1:${devicePort}` },
})
if (added.status !== 201) throw new Error(`the device was not taken: ${added.text}`)
const beats = setInterval(() => void beat(), BEAT_MS)
const tunnel = await startTunnelFront(devicePort)
const programs = await startPrograms(devicePort)
if (programs.missing.length > 0) console.log(`not installed, left out: ${programs.missing.join(', ')}`)

const fronts: Front[] = [
  { name: 'bare relay (floor)', port: await relay.ask('port'), pid: relay.pid, authorization: null },
  {
    name: 'gateway',
    port: Number(new URL(hub.gatewayUrl ?? '').port),
    pid: hub.pid,
    authorization: `Basic ${Buffer.from(`bench:${ADMIN_KEY}`).toString('base64')}`,
  },
  tunnel.front,
  { name: 'proxy-chain, no key', port: Number(new URL(await chain.ask('url')).port), pid: chain.pid, authorization: null },
  ...programs.fronts,
]

interface Row {
  readonly tunnels: Measured[]
  readonly requests: Measured[]
  readonly down: Awaited<ReturnType<typeof transfer>>[]
  readonly up: Awaited<ReturnType<typeof transfer>>[]
  idle: number
}
const rows = new Map<Front, Row>(fronts.map((front) => [front, { tunnels: [], requests: [], down: [], up: [], idle: 0 }]))
// The first of everything is for the just-in-time compilers.
for (const front of fronts) {
  await tunnels(front, TUNNELS_AT_A_TIME, WARM_UP_MS)
  await requests(front, REQUESTS_AT_A_TIME, WARM_UP_MS)
}
for (let round = 0; round < ROUNDS; round++) {
  for (let turn = 0; turn < fronts.length; turn++) {
    const front = fronts[(round + turn) % fronts.length]
    const row = front && rows.get(front)
    if (front === undefined || row === undefined) continue
    row.tunnels.push(await tunnels(front, TUNNELS_AT_A_TIME, SLICE_MS))
    row.requests.push(await requests(front, REQUESTS_AT_A_TIME, SLICE_MS))
    // The first one is slow start and warming up.
    if (round < 3) row.down.push(await transfer(front, BYTES, 'down'))
    if (round < 3) row.up.push(await transfer(front, BYTES, 'up'))
  }
}
for (const [front, row] of rows) row.idle = await idleTunnels(front, IDLE)

clearInterval(beats)
await programs.stop()
await tunnel.stop()
await Promise.all([hub.end(), chain.stop(), relay.stop(), device.stop()])
await rm(folder, { recursive: true })

const of = <T>(all: readonly T[], pick: (one: T) => number): number => median(all.map(pick))
report(
  'gateway',
  table(
    [
      '',
      'CONNECT/s',
      'p99, ms',
      'CPU s per 1,000',
      'http req/s',
      'p99, ms',
      'CPU s per 1,000',
      '1 GB down, MB/s',
      'CPU s per GB',
      '1 GB up, MB/s',
      'CPU s per GB',
      `memory of ${IDLE} idle tunnels, MB`,
    ],
    [...rows].map(([{ name }, row]) => [
      name,
      of(row.tunnels, ({ perSecond }) => perSecond).toFixed(0),
      of(row.tunnels, ({ p99Ms }) => p99Ms).toFixed(1),
      (of(row.tunnels, ({ cpuUs }) => cpuUs) / 1_000).toFixed(2),
      of(row.requests, ({ perSecond }) => perSecond).toFixed(0),
      of(row.requests, ({ p99Ms }) => p99Ms).toFixed(1),
      (of(row.requests, ({ cpuUs }) => cpuUs) / 1_000).toFixed(2),
      of(row.down, ({ mbPerSecond }) => mbPerSecond).toFixed(0),
      of(row.down, ({ cpuSecondsPerGb }) => cpuSecondsPerGb).toFixed(2),
      of(row.up, ({ mbPerSecond }) => mbPerSecond).toFixed(0),
      of(row.up, ({ cpuSecondsPerGb }) => cpuSecondsPerGb).toFixed(2),
      (row.idle / 1e6).toFixed(0),
    ]),
  ),
)
