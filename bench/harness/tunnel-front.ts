import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { localhostCertificate } from '../../packages/sdk/test/servers/certificate.ts'
import type { Front } from './front-load.ts'
import { ADMIN_KEY, startHubProcess } from './hub-process.ts'

const AGENT = fileURLToPath(new URL('../../packages/agent/dist/main.js', import.meta.url))
const START_TIMEOUT_MS = 60_000
const LOOK_MS = 100

/** A gateway whose one device is behind its tunnel. */
export interface TunnelFront {
  readonly front: Front
  stop(): Promise<void>
}

/** Starts a hub with TLS and an agent that has dialled it, each a process; `port`: the target, which the device connects to. */
export async function startTunnelFront(port: number): Promise<TunnelFront> {
  const folder = await mkdtemp(join(tmpdir(), 'mobilepool-bench-tunnel-'))
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  await Promise.all([writeFile(cert, localhostCertificate.cert), writeFile(key, localhostCertificate.key)])
  const hub = await startHubProcess({
    HUB_DATA_DIR: join(folder, 'hub'),
    TLS_CERT: cert,
    TLS_KEY: key,
    GATEWAY_DEVICE_CONCURRENCY: '10000',
    GATEWAY_ALLOW_PRIVATE: 'true',
    TUNNEL_MAX_STREAMS: '10000',
  })
  const { token } = (await ask(hub.url, 'POST', '/api/v1/agents/tokens', {})) as { token: string }
  const options = ['--state-dir', join(folder, 'agent'), '--driver', 'simulated', '--advertise', 'none', '--tunnel-sessions', '4']
  const agent: ChildProcess = spawn(process.execPath, [AGENT, 'run', '--hub', hub.url, '--token', token, '--name', 'bench', ...options], {
    env: { PATH: process.env.PATH, NODE_EXTRA_CA_CERTS: cert },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const killOnExit = (): void => void agent.kill('SIGKILL')
  process.once('exit', killOnExit)
  await reachable(hub.url)
  return {
    front: {
      name: 'gateway, by tunnel over TLS',
      port: Number(new URL(hub.gatewayUrl ?? '').port),
      pid: hub.pid,
      authorization: `Basic ${Buffer.from(`bench:${ADMIN_KEY}`).toString('base64')}`,
      target: { host: '127.0.0.1', port },
    },
    async stop() {
      process.off('exit', killOnExit)
      const gone = once(agent, 'exit')
      agent.kill('SIGTERM')
      await gone
      await hub.end()
      await rm(folder, { recursive: true })
    },
  }
}

async function reachable(url: string): Promise<void> {
  const until = Date.now() + START_TIMEOUT_MS
  for (;;) {
    const device = (await ask(url, 'GET', '/api/v1/admin/devices/bench')) as { status?: string; reach?: string }
    if (device.status === 'online' && device.reach === 'gateway') return
    if (Date.now() > until) throw new Error(`the tunnel did not stand within ${START_TIMEOUT_MS / 1_000} s: ${JSON.stringify(device)}`)
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
}

function ask(url: string, method: string, path: string, body?: unknown): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' }
    const sent = request(url + path, { method, headers, ca: localhostCertificate.cert }, (reply) => {
      let text = ''
      reply.on('data', (chunk: Buffer) => {
        text += chunk.toString()
      })
      reply.on('end', () => resolve(JSON.parse(text)))
    })
    sent.on('error', reject).end(body === undefined ? undefined : JSON.stringify(body))
  })
}
