import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { sharedPostgres, startHub } from './hub.ts'

/** Debian has it in /usr/sbin, which is not in everybody's PATH. */
const env = { PATH: `${process.env.PATH}:/usr/sbin` }

/** Whether the machine has PgBouncer; CI installs it. */
const hasPgBouncer = (() => {
  try {
    execFileSync('pgbouncer', ['--version'], { env, stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})()
if (!hasPgBouncer && process.env.CI) throw new Error('apt-get install pgbouncer')
if (!hasPgBouncer) console.log('skipped: a hub behind PgBouncer, since "pgbouncer" is missing (apt-get install pgbouncer)')

const folders: string[] = []
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

/** PgBouncer in front of a database, with these settings of its own; returns the URL through it. */
async function pooled(databaseUrl: string, settings: readonly string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'mobilepool-pgbouncer-'))
  folders.push(folder)
  await chmod(folder, 0o755)
  const { hostname, port, pathname } = new URL(databaseUrl)
  const own = await freePort()
  const lines = [
    '[databases]',
    `${pathname.slice(1)} = host=${hostname} port=${port} user=postgres`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${own}`,
    'unix_socket_dir =',
    'auth_type = any',
    ...settings,
  ]
  await writeFile(join(folder, 'pgbouncer.ini'), lines.join('\n'), { mode: 0o644 })
  // It refuses to run as root.
  const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
  const pooler: ChildProcess = spawn('pgbouncer', [join(folder, 'pgbouncer.ini')], { ...user, env, stdio: ['ignore', 'ignore', 'pipe'] })
  const exited = once(pooler, 'exit')
  onTestFinished(async () => {
    pooler.kill('SIGKILL')
    await exited
  })
  let said = ''
  await new Promise<void>((resolve, reject) => {
    pooler.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text
      if (/process up/.test(said)) resolve()
    })
    void exited.then(() => reject(new Error(`pgbouncer ended:\n${said}`)))
  })
  return `postgresql://postgres@127.0.0.1:${own}${pathname}`
}

const IGNORE = 'ignore_startup_parameters = statement_timeout,idle_in_transaction_session_timeout,extra_float_digits'

test.skipIf(!hasPgBouncer)('a hub works through PgBouncer in session mode that ignores the two time-outs', async () => {
  const direct = await sharedPostgres().createDatabase('pooled_session')
  const hub = await startHub({ databaseUrl: await pooled(direct, ['pool_mode = session', 'default_pool_size = 20', IGNORE]) })
  onTestFinished(() => hub.remove())
  for (let beat = 0; beat < 30; beat++) expect((await hub.ask(`/proxy_server?name=seoul-${beat % 3}`)).status).toBe(200)
  expect((await hub.addDevice({ name: 'seoul-1', proxy_url: 'http://127.0.0.1:9' })).status).toBe('online')
  expect((await hub.ask('/readyz')).status).toBe(200)
})

test.skipIf(!hasPgBouncer)('without that it does not start, and says what PgBouncer says', async () => {
  const direct = await sharedPostgres().createDatabase('pooled_strict')
  const url = await pooled(direct, ['pool_mode = session'])
  await expect(startHub({ databaseUrl: url })).rejects.toThrow(/statement_timeout|startup parameter/)
})
