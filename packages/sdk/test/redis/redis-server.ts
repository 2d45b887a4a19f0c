import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const BINARY = '/usr/bin/redis-server'

/** Undefined: Redis is there. Else one line that says what to install. */
export const whyNoRedis = existsSync(BINARY) ? undefined : 'needs Redis: apt-get install redis-server'

/** A real Redis on a free port of loopback. */
export interface RedisServer {
  readonly port: number
  readonly url: string
  /** Ends it at once, as if its machine were gone. */
  kill(): Promise<void>
  /** Starts it again on its port, empty. */
  restart(): Promise<void>
  close(): Promise<void>
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  await new Promise((resolve) => server.close(resolve))
  // A node of a cluster also listens 10,000 above.
  return port > 55_000 ? freePort() : port
}

export async function startRedis(...options: string[]): Promise<RedisServer> {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'mobilepool-redis-'))
  let child: ChildProcess
  const start = async (): Promise<void> => {
    const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder, ...options]
    child = spawn(BINARY, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    while (!output.includes('Ready to accept connections')) {
      if (child.exitCode !== null) throw new Error(`redis-server ended: ${output}`)
      output += String(((await once(child.stdout ?? process.stdin, 'data')) as [Buffer])[0])
    }
    child.stdout?.resume()
  }
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }
  await start()
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    kill,
    restart: start,
    async close() {
      await kill()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Three masters that share the slots. */
export async function startCluster(): Promise<RedisServer[]> {
  const nodes = await Promise.all([1, 2, 3].map(() => startRedis('--cluster-enabled', 'yes')))
  const cli = async (...args: string[]): Promise<string> => (await promisify(execFile)('redis-cli', args)).stdout
  await cli('--cluster', 'create', ...nodes.map(({ port }) => `127.0.0.1:${port}`), '--cluster-replicas', '0', '--cluster-yes')
  for (const { port } of nodes) while (!(await cli('-p', String(port), 'cluster', 'info')).includes('cluster_state:ok'));
  return nodes
}
