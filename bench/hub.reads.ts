/** 500 API reads a second, mixed, on a hub with 50 and with 10,000 devices; and how soon 200 listeners have an event. */
import { startChild } from '../packages/sdk/test/servers/child.ts'
import type { HeartbeatCalls } from './harness/heartbeat-sender.ts'
import { freshPostgres } from './harness/hub-database.ts'
import { adoptDevices } from './harness/hub-devices.ts'
import { startHubProcess } from './harness/hub-process.ts'
import type { ReadCalls } from './harness/hub-reader.ts'
import { report, table } from './harness/report.ts'

const FLEETS = [50, 10_000]
const READS_PER_SECOND = 500
const SECONDS = 10
const LISTENERS = 200
const EVENTS = 20

const rows: string[][] = []
const events: string[][] = []
for (const devices of FLEETS) {
  const database = await freshPostgres()
  const hub = await startHubProcess({ ...database.env, BARE_HEARTBEAT_TIMEOUT: '600' })
  await adoptDevices(hub.url, devices)
  // One heartbeat each: what is never heard is offline, and no proxy is picked from it.
  const sender = await startChild<HeartbeatCalls>(new URL('./harness/heartbeat-sender.ts', import.meta.url))
  const { answered: heard } = await sender.ask('send', Number(new URL(hub.url).port), { devices, connections: 64, count: devices })
  if (heard !== devices) throw new Error(`${heard} of ${devices} heartbeats were answered`)
  await sender.stop()
  const reader = await startChild<ReadCalls>(new URL('./harness/hub-reader.ts', import.meta.url))
  // The floor is what the sender, the sockets and the server cost where there is nothing to read.
  for (const paths of ['floor', 'mixed'] as const) {
    await reader.ask('read', hub.url, paths, { perSecond: READS_PER_SECOND, seconds: 2 })
    const { answered, failed, lastFailure, p50, p99, most } = await reader.ask('read', hub.url, paths, {
      perSecond: READS_PER_SECOND,
      seconds: SECONDS,
    })
    if (failed > 0) throw new Error(`${failed} reads failed, the last with: ${lastFailure}`)
    const name = paths === 'mixed' ? 'reads' : 'floor: /healthz'
    rows.push([`${devices} devices, ${name}`, (answered / SECONDS).toFixed(0), p50.toFixed(1), p99.toFixed(1), most.toFixed(0)])
  }
  const { times, received } = await reader.ask('listen', hub.url, { listeners: LISTENERS, events: EVENTS })
  const [first = 0, last = 0] = [Math.min(...times), Math.max(...times)]
  events.push([`${devices} devices`, `${received} of ${LISTENERS * EVENTS}`, first.toFixed(0), last.toFixed(0)])
  await reader.stop()
  await hub.end()
  await database.close()
}
report(
  'hub.reads',
  [
    table([`${READS_PER_SECOND} reads a second`, 'answered/s', 'p50, ms', 'p99, ms', 'longest, ms'], rows),
    table([`${EVENTS} IP changes, ${LISTENERS} listeners`, 'received', 'soonest all had one, ms', 'latest all had one, ms'], events),
  ].join('\n\n'),
)
