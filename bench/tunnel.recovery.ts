/**
 * How long a device behind a carrier's NAT is away after a fault: hub, carrier and device in network namespaces of their own (root, ip, nft).
 * `node bench/tunnel.recovery.ts [--rounds 5] [--link-down 30] [--json] [--write]`; needs the builds of packages/sdk and packages/hub.
 * Measured from the end of the fault (link up again, hub listens again, NAT rebound, agent started again) to the start of the first
 * connection by the gateway and the tunnel that succeeds.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { report, table } from './harness/report.ts'
import { HUB_ADDRESS, Namespaces, whyNot } from './tunnel/namespaces.ts'

const HUB_PORT = 3001
const TARGET_PORT = 7007
const PATIENCE_MS = 60_000

interface Line {
  ready?: number
  ok?: number
  by?: string
  deviceId?: string
  deviceKey?: string
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    'link-down': { type: 'string', default: '30' },
    json: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
})
const missing = whyNot()
if (missing !== null) {
  console.log(`skipped: ${missing}`)
  process.exit(0)
}

const folder = mkdtempSync(join(tmpdir(), 'mp-recovery-'))
const spaces = new Namespaces()
const script = (name: string): string => fileURLToPath(new URL(`./tunnel/${name}.ts`, import.meta.url))
const children = new Set<ChildProcess>()
const lines: Line[] = []

function start(space: string, name: string, args: string[]): ChildProcess {
  // `ip netns exec` becomes node: its pid is node's.
  const child = spawn('ip', ['netns', 'exec', space, process.execPath, script(name), ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.add(child)
  child.once('close', () => children.delete(child))
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(JSON.parse(line)))
  return child
}
async function kill(child: ChildProcess): Promise<void> {
  const closed = once(child, 'close')
  child.kill('SIGKILL')
  await closed
}
async function found(what: string, look: (line: Line) => boolean): Promise<Line> {
  const until = Date.now() + PATIENCE_MS
  for (;;) {
    const line = lines.find(look)
    if (line) return line
    if (Date.now() > until) throw new Error(`did not happen within ${PATIENCE_MS / 1000} s: ${what}`)
    await delay(5)
  }
}
const back = async (since: number): Promise<Line & { ok: number }> => {
  const line = await found('a connection through the tunnel', ({ ok }) => ok !== undefined && ok >= since)
  return { ...line, ok: line.ok ?? 0 }
}
const startHub = (device: string): ChildProcess => start(spaces.hub, 'hub-end', [folder, String(HUB_PORT), String(TARGET_PORT), device])

try {
  if (spaces.hasRouteToDevice) throw new Error('the hub has a route to the device: this would measure nothing')
  let hub = startHub('-')
  const { deviceKey = '', deviceId = '' } = await found('the enrolment', ({ deviceKey: key }) => key !== undefined)
  const startDevice = (): ChildProcess => start(spaces.device, 'device-end', [`http://${HUB_ADDRESS}:${HUB_PORT}`, deviceKey])
  let device = startDevice()
  const first = await back(0)
  if (first.by !== spaces.carrier) throw new Error(`traffic went by ${first.by}, not by the device`)

  const faults: Record<string, () => Promise<number>> = {
    [`link down for ${values['link-down']} s`]: async () => {
      spaces.setLink('down')
      await delay(Number(values['link-down']) * 1_000)
      spaces.setLink('up')
      return Date.now()
    },
    'NAT rebinding': async () => {
      spaces.rebind()
      return Date.now()
    },
    'agent killed (-9) and started again': async () => {
      await kill(device)
      device = startDevice()
      return Date.now()
    },
    'hub killed (-9) and started again': async () => {
      await kill(hub)
      const from = Date.now()
      hub = startHub(deviceId)
      return (await found('the hub', ({ ready }) => ready !== undefined && ready >= from)).ready ?? from
    },
  }
  const results: { fault: string; p50: number; p99: number; ms: number[] }[] = []
  for (const [fault, make] of Object.entries(faults)) {
    const times: number[] = []
    for (let round = 0; round < Number(values.rounds); round += 1) {
      const over = await make()
      const line = await back(over)
      if (line.by !== spaces.carrier) throw new Error(`traffic went by ${line.by}, not by the device`)
      times.push(line.ok - over)
      lines.length = 0
      await delay(500)
    }
    const sorted = times.toSorted((a, b) => a - b)
    const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? 0
    results.push({ fault, p50: at(0.5), p99: at(0.99), ms: times })
    if (!values.json) console.log(`${fault}: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms (${times.join(', ')})`)
  }
  if (values.json) console.log(JSON.stringify(results))
  else
    report(
      'tunnel.recovery',
      table(
        ['', 'p50, ms', 'p99, ms', 'rounds'],
        results.map(({ fault, p50, p99, ms }) => [fault, p50, p99, ms.length]),
      ),
    )
} finally {
  await Promise.all([...children].map(kill))
  spaces.remove()
  rmSync(folder, { recursive: true, force: true })
}
