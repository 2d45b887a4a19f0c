/** The demo's fleet: which devices there are, and the hub and agents as real processes on loopback. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DeviceType, type StatusReplyJson, statusReply } from '@mobilepool/sdk/contract'
import { type Child, startNode } from './child-processes.ts'
import type { Sabotage } from './options.ts'

const root = join(import.meta.dirname, '..')
const startPatienceMs = 45_000

interface SimulatedDevice {
  name: string
  type: DeviceType
  operator: string
  region: string
  /** Exit IPs that its carrier hands out: 127.10.n.1 and so on. */
  addresses: string[]
  /** More knobs of the agent's `simulated` driver (packages/agent/sim/knobs.ts). */
  knobs: Record<string, unknown>
}

const carrier = (network: number, size: number) => Array.from({ length: size }, (_, index) => `127.10.${network}.${index + 1}`)

/** Five devices with an agent each. moscow-07's carrier mostly gives the same address again. */
export const simulatedDevices: readonly SimulatedDevice[] = [
  { name: 'seoul-01', type: 'android', operator: 'SKT', region: 'Seoul', addresses: carrier(1, 8), knobs: {} },
  { name: 'moscow-07', type: 'usb_modem', operator: 'MTS', region: 'Moscow', addresses: carrier(2, 8), knobs: { repeatProbability: 0.7 } },
  { name: 'busan-03', type: 'android', operator: 'KT', region: 'Busan', addresses: carrier(3, 8), knobs: {} },
  {
    name: 'kazan-02',
    type: 'raspberry_pi',
    operator: 'Tele2',
    region: 'Kazan',
    addresses: carrier(4, 6),
    knobs: { attachDelayMs: [500, 900] },
  },
  { name: 'omsk-05', type: 'mini_pc', operator: 'Beeline', region: 'Omsk', addresses: carrier(5, 4), knobs: {} },
]

/** One more that is only `curl` in a loop. */
export const crontabDevice = { name: 'crontab-06', addresses: carrier(6, 4) }

/** The device that `--sabotage` corrupts. */
const saboteur = 'omsk-05'

export interface DemoFleet {
  hubUrl: string
  /** A key with the scope `proxy`, as a parser should have. */
  parserKey: string
  agents: ReadonlyMap<string, Child>
  status(): Promise<StatusReplyJson>
  stop(): Promise<void>
}

interface FleetOptions {
  port: number
  sabotage: Sabotage | undefined
  /** Gives up starting. */
  signal: AbortSignal
  onUnexpectedExit(explanation: string): void
}

/** Starts the hub, enrols and starts the agents; resolves when every device is online. */
export async function startFleet({ port, sabotage, signal, onUnexpectedExit }: FleetOptions): Promise<DemoFleet> {
  const folder = mkdtempSync(join(tmpdir(), 'mobilepool-demo-'))
  const hubUrl = `http://127.0.0.1:${port}`
  const adminKey = `mp_${randomBytes(24).toString('base64url')}`
  const agents = new Map<string, Child>()

  const hub = startNode('the hub', [join(root, 'packages/hub/dist/main.js'), '--port', String(port), '--data-dir', join(folder, 'hub')], {
    env: {
      MOBILEPOOL_ADMIN_KEY: adminKey,
      LOG_LEVEL: 'warn',
      ROTATION_MIN_INTERVAL: '2', // a real carrier wants a minute
      ROTATION_MAX_PARALLEL: '0.4',
    },
    isShielded: true,
    onUnexpectedExit,
  })

  async function stop(): Promise<void> {
    await Promise.all([...agents.values()].map((agent) => agent.stop()))
    await hub.stop()
    rmSync(folder, { recursive: true, force: true })
  }

  const status = async () => statusReply.parse(await (await fetch(`${hubUrl}/status`, { signal: AbortSignal.timeout(2000) })).json())

  async function asAdmin<T>(path: string, body: unknown): Promise<T> {
    const response = await fetch(`${hubUrl}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    if (!response.ok) throw new Error(`POST ${path}: ${response.status} ${await response.text()}`)
    return (await response.json()) as T
  }

  async function startAgent({ name, type, operator, region, addresses, knobs }: SimulatedDevice): Promise<void> {
    const { token } = await asAdmin<{ token: string }>('/api/v1/agents/tokens', { name })
    const driver = {
      firstAddress: addresses[0],
      poolSize: addresses.length,
      operator,
      ...knobs,
      ...(sabotage && name === saboteur ? { sabotage } : {}),
    }
    const device = ['--name', name, '--type', type, '--operator', operator, '--region', region]
    const args = [
      'run',
      '--hub',
      hubUrl,
      ...device,
      '--driver',
      'simulated',
      '--driver-options',
      JSON.stringify(driver),
      '--allow-private-targets',
    ]
    const agent = startNode(name, [join(root, 'packages/agent/dist/main.js'), ...args, '--state-dir', join(folder, name)], {
      env: { MOBILEPOOL_TOKEN: token },
      isShielded: true,
      onUnexpectedExit,
    })
    agents.set(name, agent)
  }

  try {
    await until('the hub to answer', signal, () => status().then(Boolean, () => false))
    await Promise.all(simulatedDevices.map(startAgent))
    await until(
      'five devices online',
      signal,
      async () => (await status()).proxies.filter((device) => device.status === 'online').length >= simulatedDevices.length,
    )
    const { key } = await asAdmin<{ key: string }>('/api/v1/keys', { name: 'demo parser', scope: 'proxy' })
    return { hubUrl, parserKey: key, agents, status, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function until(what: string, signal: AbortSignal, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + startPatienceMs
  while (!(await isSo())) {
    signal.throwIfAborted()
    if (Date.now() > deadline) throw new Error(`waited ${startPatienceMs / 1000} s for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
