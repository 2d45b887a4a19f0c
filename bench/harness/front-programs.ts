import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Front } from './front-load.ts'

/** A proxy program of the system that forwards to one upstream. */
interface Program {
  readonly name: string
  readonly command: string
  config(port: number, upstream: number, folder: string): string
  args(file: string): string[]
}

const programs: readonly Program[] = [
  {
    name: 'tinyproxy, no key',
    command: 'tinyproxy',
    config: (port, upstream) =>
      `Port ${port}\nListen 127.0.0.1\nTimeout 600\nMaxClients 5000\nAllow 127.0.0.1\nDisableViaHeader Yes\nLogLevel Critical\nUpstream http 127.0.0.1:${upstream}\n`,
    args: (file) => ['-d', '-c', file],
  },
  {
    name: 'squid, no key',
    command: 'squid',
    config: (port, upstream, folder) =>
      `http_port 127.0.0.1:${port}\ncache deny all\ncache_mem 0 MB\npid_filename none\naccess_log none\ncache_log ${folder}/squid.log\nvia off\nforwarded_for delete\nhttp_access allow all\ncache_peer 127.0.0.1 parent ${upstream} 0 no-query no-digest default\nnever_direct allow all\nshutdown_lifetime 0 seconds\nvisible_hostname bench\nclient_persistent_connections on\nserver_persistent_connections on\n`,
    args: (file) => ['-N', '-f', file],
  },
  {
    name: 'haproxy, tcp',
    command: 'haproxy',
    config: (port, upstream) =>
      `global\n  maxconn 4000\ndefaults\n  mode tcp\n  timeout connect 10s\n  timeout client 600s\n  timeout server 600s\nlisten front\n  bind 127.0.0.1:${port}\n  server device 127.0.0.1:${upstream}\n`,
    args: (file) => ['-db', '-f', file],
  },
]

/** Starts those that are installed, on free ports; each forwards to the upstream. Names those that are not. */
export async function startPrograms(upstream: number): Promise<{ fronts: Front[]; missing: string[]; stop(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'mobilepool-bench-'))
  const children: ChildProcess[] = []
  const fronts: Front[] = []
  const missing: string[] = []
  for (const { name, command, config, args } of programs) {
    if (!isInstalled(command)) {
      missing.push(command)
      continue
    }
    const port = await freePort()
    const file = join(folder, `${command}.conf`)
    writeFileSync(file, config(port, upstream, folder))
    const child = spawn(command, args(file), { stdio: 'ignore' })
    children.push(child)
    process.once('exit', () => child.kill('SIGKILL'))
    await accepts(port, command)
    fronts.push({ name, port, pid: child.pid ?? 0, authorization: null })
  }
  const stop = async (): Promise<void> => {
    await Promise.all(
      children.map(async (child) => {
        if (child.exitCode !== null) return
        const gone = once(child, 'exit')
        child.kill('SIGKILL')
        await gone
      }),
    )
    rmSync(folder, { recursive: true, force: true })
  }
  return { fronts, missing, stop }
}

function isInstalled(command: string): boolean {
  try {
    execFileSync('which', [command], { stdio: 'ignore', env: { PATH: `${process.env.PATH}:/usr/sbin` } })
    return true
  } catch {
    return false
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

async function accepts(port: number, command: string): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    const socket = connect(port, '127.0.0.1')
    const isOpen = await new Promise<boolean>((resolve) => socket.once('connect', () => resolve(true)).once('error', () => resolve(false)))
    socket.destroy()
    if (isOpen) return
    await delay(100)
  }
  throw new Error(`${command} does not listen`)
}
