/** A hub and agents as real processes on loopback, as a user runs them. */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { statusReply } from '@mobilepool/sdk/contract'
import { type Child, startNode } from '../demo/child-processes.ts'

const root = join(import.meta.dirname, '..')
const onUnexpectedExit = (explanation: string): void => {
  throw new Error(explanation)
}

export interface HubProcess {
  readonly url: string
  readonly adminKey: string
  /** Where its gateway listens; null: it was started without. */
  readonly gatewayUrl: string | null
  /** A key of scope `proxy`. */
  parserKey(): Promise<string>
  /** Enrols and starts an agent with a simulated device: exit IPs 127.20.`network`.1 to .8. */
  startAgent(name: string, network: number, flags?: readonly string[]): Promise<Child>
  /** Starts an agent again that was ended, as it was started before. */
  restartAgent(name: string): void
  /** Resolves when so many devices are online. */
  online(count: number): Promise<void>
  /** SIGKILL. */
  kill(): void
  /** Starts it again on the same port and data. */
  restart(): Promise<void>
  /** Stops hub and agents and removes their data. */
  remove(): Promise<void>
}

interface HubProcessOptions {
  /** @default false */
  readonly hasGateway?: boolean
  /** Settings of the hub besides those that every test needs. */
  readonly env?: NodeJS.ProcessEnv
}

export async function startHubProcess({ hasGateway = false, env = {} }: HubProcessOptions = {}): Promise<HubProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'mobilepool-whole-'))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const adminKey = `mp_${randomBytes(24).toString('base64url')}`
  const gatewayPort = hasGateway ? await freePort() : null
  const agents: Child[] = []
  const starts = new Map<string, () => Child>()
  let hub = start()

  function start(): Child {
    const args = [join(root, 'packages/hub/bin/mobilepool-hub.js'), '--port', String(port), '--data-dir', join(folder, 'hub')]
    return startNode('the hub', args, {
      env: {
        MOBILEPOOL_ADMIN_KEY: adminKey,
        ROTATION_MIN_INTERVAL: '0',
        PROXY_PORT: gatewayPort === null ? 'off' : String(gatewayPort),
        GATEWAY_ALLOW_PRIVATE: 'true',
        ...env,
      },
      onUnexpectedExit,
    })
  }

  async function asAdmin<T>(path: string, body: unknown): Promise<T> {
    const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' }
    const response = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) })
    if (!response.ok) throw new Error(`POST ${path}: ${response.status} ${await response.text()}`)
    return (await response.json()) as T
  }

  const onlineNow = async () => {
    const headers = { authorization: `Bearer ${adminKey}` }
    const reply = await fetch(`${url}/status`, { headers, signal: AbortSignal.timeout(2000) }).catch(() => null)
    return reply?.ok ? statusReply.parse(await reply.json()).proxies.filter((device) => device.status === 'online').length : -1
  }
  const online = (count: number) => eventually(`${count} devices online`, async () => (await onlineNow()) >= count)

  await online(0)
  return {
    url,
    adminKey,
    gatewayUrl: gatewayPort === null ? null : `http://127.0.0.1:${gatewayPort}`,
    online,
    parserKey: async () => (await asAdmin<{ key: string }>('/api/v1/keys', { name: 'a parser', scope: 'proxy' })).key,
    async startAgent(name, network, flags = []) {
      const { token } = await asAdmin<{ token: string }>('/api/v1/agents/tokens', { name })
      const device = ['--name', name, '--state-dir', join(folder, name), '--driver', 'simulated']
      const options = JSON.stringify({ firstAddress: `127.20.${network}.1` })
      const args = [
        join(root, 'packages/agent/bin/mobilepool-agent.js'),
        'run',
        '--hub',
        url,
        ...device,
        '--driver-options',
        options,
        ...flags,
      ]
      const begin = (): Child => {
        const agent = startNode(name, args, { env: { MOBILEPOOL_TOKEN: token }, onUnexpectedExit })
        agents.push(agent)
        return agent
      }
      starts.set(name, begin)
      return begin()
    },
    restartAgent: (name) => void starts.get(name)?.(),
    kill: () => hub.kill(),
    async restart() {
      hub = start()
      await online(0)
    },
    async remove() {
      await Promise.all([...agents, hub].map((child) => child.stop()))
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Asks until it is so, at most a minute. */
async function eventually(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`waited a minute for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** A port that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
