/**
 * `npm run demo`: a hub, five devices with real agents, one with `curl`, a site that bans, and a parser, all on this machine.
 * Ends with totals; exit code 1 when one of them is not as it must be.
 */
import { createServer } from 'node:net'
import { styleText } from 'node:util'
import { MobilePool } from '@mobilepool/sdk'
import type { StatusReplyJson } from '@mobilepool/sdk/contract'
import { startCrontabDevice } from './crontab-device.ts'
import { crontabDevice, type DemoFleet, simulatedDevices, startFleet } from './fleet.ts'
import { parseOptions } from './options.ts'
import { startParser } from './parser.ts'
import { showLive } from './summary.ts'
import { startTargetSite } from './target-site.ts'
import { judge, type RotationTotals } from './verdict.ts'

const options = parseOptions(
  process.argv.slice(2),
  simulatedDevices.map(({ name }) => name),
)
const killAfterMs = 5000
const notices: string[] = []
const hubIsSilent = 'The hub does not answer.'

console.log(`Dashboard: http://127.0.0.1:${options.port}/`)
await refuseTakenPort(options.port)
console.log('Starting a hub, five simulated devices, a target site and a parser...')

/** npm hands on what the terminal has sent already: two signals so close together are one. */
const sameSignalMs = 500
const stopAsked = new AbortController()
let stopAskedAt: number | null = null
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, askToStop)

let brokenBy: string | null = null
function onUnexpectedExit(explanation: string): void {
  brokenBy ??= explanation
  stopAsked.abort(new Error(explanation))
}

const target = await startTargetSite({ afterRequests: [40, 120], forMs: 20_000 })
const fleet = await startFleet({ port: options.port, sabotage: options.sabotage, signal: stopAsked.signal, onUnexpectedExit }).catch(giveUp)
const crontab = await startCrontabDevice(fleet.hubUrl, crontabDevice.name, crontabDevice.addresses, 3000)
if (!crontab) notices.push(`No curl on this machine (apt-get install curl): ${crontabDevice.name} is left out.`)

const pool = new MobilePool({
  hub: { url: fleet.hubUrl, token: fleet.parserKey },
  balancer: 'least-connections',
  ban: { statuses: [403], quarantineMs: 20_000 },
  retry: { attempts: 5 },
  rotate: { onBan: { count: 1 }, everyMs: 12_000 },
})
const parser = startParser(pool, target, { workers: 8, pauseMs: 100 })

let status: StatusReplyJson | null = null
const looking = setInterval(() => {
  void fleet.status().then(
    (fresh) => {
      status = fresh
    },
    () => notices.at(-1) !== hubIsSilent && notices.push(hubIsSilent),
  )
}, 500)
const startedAt = Date.now()
const live = showLive(() => ({ startedAt, tally: parser.tally, target, status, notices }), process.stdout)
const killing = options.kill === undefined ? undefined : setTimeout(killAgent, killAfterMs, fleet, options.kill)

await runOut(options.forMs, stopAsked.signal)

clearTimeout(killing)
crontab?.stop()
await parser.stop()
await pool.close()
const rotations = await countRotations(fleet)
clearInterval(looking)
live.stop()
await fleet.stop()
await target.close()

const checks = judge({
  tally: parser.tally,
  target,
  rotations,
  fleetAddresses: new Set(simulatedDevices.flatMap(({ addresses }) => addresses)),
  devices: simulatedDevices.length,
})
console.log()
if (crontab) console.log(`${crontabDevice.name}: ${crontab.beats} beats by curl, the last answered ${crontab.lastReply}`)
if (brokenBy) console.log(styleText('red', `✗ ${brokenBy}`))
for (const { claim, holds, evidence } of checks)
  console.log(holds ? `${styleText('green', '✓')} ${claim}` : styleText('red', `✗ ${claim}: ${evidence}`))
process.exitCode = brokenBy === null && checks.every(({ holds }) => holds) ? 0 : 1

function askToStop(): void {
  stopAskedAt ??= Date.now()
  // Whoever presses Ctrl-C twice does not want to wait; what the demo has started ends with it.
  if (Date.now() - stopAskedAt > sameSignalMs) process.exit(130)
  stopAsked.abort()
}

function giveUp(error: Error): never {
  const wasAsked = brokenBy === null && stopAsked.signal.aborted
  console.error(wasAsked ? 'Stopped before it had started.' : styleText('red', `The demo could not start: ${brokenBy ?? error.message}`))
  process.exit(1)
}

function killAgent({ agents }: DemoFleet, name: string): void {
  agents.get(name)?.kill()
  notices.push(`kill -9 of ${name}'s agent`)
}

async function countRotations({ status: look }: DemoFleet): Promise<RotationTotals> {
  // A hub that has died has been told of already; what it said last counts.
  status = await look().catch(() => status)
  const totals = { changed: 0, unchanged: 0, failed: 0 }
  for (const { rotations: counts } of status?.proxies ?? []) {
    totals.changed += counts.changed
    totals.unchanged += counts.unchanged
    totals.failed += counts.failed
  }
  return totals
}

function runOut(forMs: number | undefined, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (stop.aborted) return resolve()
    stop.addEventListener('abort', () => resolve(), { once: true })
    if (forMs !== undefined) setTimeout(resolve, forMs).unref()
  })
}

async function refuseTakenPort(port: number): Promise<void> {
  const probe = createServer()
  await new Promise<void>((resolve) => {
    probe.once('error', ({ code }: NodeJS.ErrnoException) => {
      const why = code === 'EADDRINUSE' ? 'is taken: stop what uses it, or' : `cannot be had (${code}):`
      console.error(`Port ${port} on 127.0.0.1 ${why} choose another with --port.`)
      process.exit(1)
    })
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve()))
  })
}
