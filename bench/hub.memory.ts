/**
 * Resident memory of a hub with 20 devices, idle and after many heartbeats, on Postgres and on PGlite.
 * `node bench/hub.memory.ts [heartbeats, a million] [--write]`
 */
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { startChild } from '../packages/sdk/test/servers/child.ts'
import type { HeartbeatCalls } from './harness/heartbeat-sender.ts'
import { freshPglite, freshPostgres } from './harness/hub-database.ts'
import { adoptDevices } from './harness/hub-devices.ts'
import { startHubProcess } from './harness/hub-process.ts'
import { report, table } from './harness/report.ts'

const DEVICES = 20
const HEARTBEATS = Number(process.argv[2]) || 1_000_000
const CONNECTIONS = 64
/** Until garbage of the start, or of the load, has been collected as far as it is without being asked. */
const SETTLE_MS = 10_000

/** MB, of Linux's own count. */
function residentMb(pid: number, field: 'VmRSS' | 'VmHWM'): string {
  const [, kb = 'NaN'] = new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return (Number(kb) / 1_024).toFixed(0)
}

const sender = await startChild<HeartbeatCalls>(new URL('./harness/heartbeat-sender.ts', import.meta.url))
const rows: string[][] = []
for (const fresh of [freshPostgres, freshPglite]) {
  const database = await fresh()
  const hub = await startHubProcess(database.env)
  await adoptDevices(hub.url, DEVICES)
  await delay(SETTLE_MS)
  const idle = residentMb(hub.pid, 'VmRSS')
  const port = Number(new URL(hub.url).port)
  const { answered, failed, seconds } = await sender.ask('send', port, {
    devices: DEVICES,
    connections: CONNECTIONS,
    count: HEARTBEATS,
  })
  const after = residentMb(hub.pid, 'VmRSS')
  await delay(SETTLE_MS)
  rows.push([
    database.name,
    idle,
    after,
    residentMb(hub.pid, 'VmRSS'),
    residentMb(hub.pid, 'VmHWM'),
    String(answered),
    String(failed),
    seconds.toFixed(0),
  ])
  await hub.end()
  await database.close()
}
await sender.stop()
report(
  'hub.memory',
  table(['', 'idle, MB', 'at the end, MB', `${SETTLE_MS / 1_000} s later, MB`, 'most, MB', 'heartbeats', 'failed', 'in s'], rows),
)
