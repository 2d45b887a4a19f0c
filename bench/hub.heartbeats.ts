/**
 * Heartbeats that a hub takes and has written before it answers: hub, database and sender on the same cores. The floor is the same
 * server with one upsert for each request; slices of both take turns.
 */
import { startChild } from '../packages/sdk/test/servers/child.ts'
import type { HeartbeatCalls, Sent } from './harness/heartbeat-sender.ts'
import { freshPglite, freshPostgres, type HubDatabase } from './harness/hub-database.ts'
import { adoptDevices } from './harness/hub-devices.ts'
import { type HubProcess, startHubProcess } from './harness/hub-process.ts'
import { report, table } from './harness/report.ts'
import { median } from './harness/statistics.ts'

const DEVICES = 2_000
const BURST = 10_000
const ROUNDS = 3
const SLICE_MS = 2_500
const CONNECTIONS = [64, 256]

const sender = await startChild<HeartbeatCalls>(new URL('./harness/heartbeat-sender.ts', import.meta.url))
const portOf = ({ url }: HubProcess): number => Number(new URL(url).port)
const middle = (slices: readonly Sent[], of: (sent: Sent) => number): number => median(slices.map(of))
const perSecond = ({ answered, seconds }: Sent): number => answered / seconds

async function slice(hub: HubProcess, connections: number): Promise<Sent> {
  const sent = await sender.ask('send', portOf(hub), { devices: DEVICES, connections, ms: SLICE_MS })
  if (sent.failed > 0) throw new Error(`${sent.failed} heartbeats failed, the last with: ${sent.lastFailure}`)
  return sent
}

/** Adopted devices, and a database that knows them. */
async function hubWithDevices(database: HubDatabase): Promise<HubProcess> {
  const hub = await startHubProcess(database.env)
  await adoptDevices(hub.url, DEVICES)
  return hub
}

const rows: string[][] = []
function add(name: string, ours: readonly Sent[], floor: readonly Sent[]): void {
  const rate = middle(ours, perSecond)
  const floorRate = floor.length === 0 ? null : middle(floor, perSecond)
  rows.push([
    name,
    rate.toFixed(0),
    floorRate?.toFixed(0) ?? '',
    floorRate === null ? '' : (rate / floorRate).toFixed(1),
    middle(ours, ({ p50 }) => p50).toFixed(1),
    middle(ours, ({ p99 }) => p99).toFixed(1),
    Math.max(...ours.map(({ most }) => most)).toFixed(0),
  ])
}

const bursts: string[][] = []
async function burst(hub: HubProcess, name: string): Promise<void> {
  const { answered, failed, seconds, p50, p99 } = await sender.ask('burst', portOf(hub), BURST)
  bursts.push([name, String(answered), String(failed), seconds.toFixed(2), (p50 / 1_000).toFixed(2), (p99 / 1_000).toFixed(2)])
}

const postgres = await freshPostgres()
const hub = await hubWithDevices(postgres)
const floor = await startHubProcess(postgres.env, new URL('./harness/one-by-one-hub.ts', import.meta.url).pathname)
for (const connections of CONNECTIONS) {
  const slices = { ours: [] as Sent[], floor: [] as Sent[] }
  for (const warm of [hub, floor]) await slice(warm, connections)
  for (let round = 0; round < ROUNDS; round++) {
    slices.ours.push(await slice(hub, connections))
    slices.floor.push(await slice(floor, connections))
  }
  add(`Postgres, ${connections} connections`, slices.ours, slices.floor)
}
await floor.end()
await burst(hub, 'Postgres')
await hub.end()
await postgres.close()

const pglite = await freshPglite()
const embedded = await hubWithDevices(pglite)
for (const connections of CONNECTIONS) {
  await slice(embedded, connections)
  const slices: Sent[] = []
  for (let round = 0; round < ROUNDS; round++) slices.push(await slice(embedded, connections))
  add(`PGlite, ${connections} connections`, slices, [])
}
await burst(embedded, 'PGlite')
await embedded.end()
await pglite.close()
await sender.stop()

report(
  'hub.heartbeats',
  [
    table(['', 'heartbeats/s', 'one upsert each, /s', 'times', 'p50, ms', 'p99, ms', 'longest, ms'], rows),
    table([`${BURST} connections at once`, 'answered', 'refused or failed', 'all taken in, s', 'p50, s', 'p99, s'], bursts),
  ].join('\n\n'),
)
