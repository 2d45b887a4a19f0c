import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { openStore } from '../src/store/index.ts'
import { type Ask, send } from './client.ts'
import { EventReader } from './event-reader.ts'
import { startPostgres, type TestPostgres } from './postgres.ts'
import { secret, trace } from './secrets/trace.ts'

const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url))
/** initdb in WebAssembly takes 3 s alone, and many times that beside other work. */
const START_TIMEOUT_MS = 120_000
const ADMIN_KEY = secret('mp_process-test-admin-key-0123456789')
const SECRET_KEY = secret('a secret key of the process tests')

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

if (!existsSync(MAIN)) throw new Error('these tests run the build: npm run build -w packages/sdk -w packages/hub')

let dataDir: string
const running = new Set<ChildProcess>()
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'mobilepool-process-'))
})
afterEach(async () => {
  for (const child of running) {
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }
  await rm(dataDir, { recursive: true, force: true })
})

interface Hub {
  child: ChildProcess
  url: string
  stdout(): string
  /** Both streams. */
  output(): string
  ask(path: string, ask?: Ask): ReturnType<typeof send>
}

/** Starts the command and waits for its first line. */
async function start(env: Record<string, string> = {}, ...args: string[]): Promise<Hub> {
  const child = spawn(process.execPath, [MAIN, '--port', '0', ...args], {
    env: { PATH: process.env.PATH, HUB_DATA_DIR: dataDir, SECRET_KEY, LOG_LEVEL: 'debug', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  child.once('exit', () => running.delete(child))
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => {
    // What pino writes goes to the other.
    stdout += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
    trace({ kind: 'log', text: chunk.toString() })
  })
  const url = await vi.waitFor(
    () => {
      const found = /(http:\S+)\/\n/.exec(stdout)?.[1]
      if (found === undefined && child.exitCode !== null) return null
      if (found === undefined) throw new Error(`not up: ${stdout}${stderr}`)
      return found
    },
    { timeout: START_TIMEOUT_MS, interval: 50 },
  )
  if (url === null) throw new Error(`ended with ${child.exitCode}: ${stdout}${stderr}`)
  child.once('close', () => {
    // The first start shows its admin key there, once, and nowhere else.
    trace({ kind: 'log', text: stdout.replace(/^(Admin key, shown this once): mp_\S+/m, '$1') })
  })
  return {
    child,
    url,
    stdout: () => stdout,
    output: () => stdout + stderr,
    ask: (path, { key, ...rest } = {}) =>
      send(url + path, { ...rest, ...(key === undefined ? {} : { key: key === 'admin' ? ADMIN_KEY : key }) }),
  }
}

/** Runs the command to its end. */
async function run(args: string[], env: Record<string, string> = {}): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [MAIN, ...args],
      { env: { PATH: process.env.PATH, HUB_DATA_DIR: dataDir, SECRET_KEY, ...env }, timeout: START_TIMEOUT_MS },
      (_error, stdout, stderr) => {
        trace({ kind: 'log', text: stderr })
        // Made to be read from there.
        if (args[0] !== 'admin') trace({ kind: 'log', text: stdout })
        resolve({ code: child.exitCode, stdout, stderr })
      },
    )
  })
}

async function stop({ child }: Hub, signal: NodeJS.Signals, repeatedAfterMs?: number): Promise<{ code: number | null; ms: number }> {
  const asked = Date.now()
  const exited = once(child, 'exit')
  child.kill(signal)
  if (repeatedAfterMs !== undefined) setTimeout(() => child.kill(signal), repeatedAfterMs)
  const [code] = (await exited) as [number | null]
  return { code, ms: Date.now() - asked }
}

describe('the command', () => {
  test('says what it can, and which version it is', async () => {
    const help = await run(['--help'])
    expect(help.code).toBe(0)
    for (const part of ['--port', '--host', '--data-dir', '--log-level', 'DATABASE_URL', 'TRUST_PROXY', 'admin'])
      expect(help.stdout).toContain(part)
    expect((await run(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  test.each([
    [
      'a setting that is not valid',
      ['--port', '70000'],
      { MAX_DEVICES: 'many', LOG_LEVEL: 'loud' },
      ['--port', 'MAX_DEVICES', 'LOG_LEVEL'],
    ],
    ['half a database', [], { DATABASE_POOL_SIZE: '5' }, ['DATABASE_POOL_SIZE', 'DATABASE_URL']],
    ['a database that does not answer', [], { DATABASE_URL: 'postgresql://u:pa55word@127.0.0.1:1/db' }, ['DATABASE_URL', 'ECONNREFUSED']],
    ['an option that does not exist', ['--colour', 'red'], {}, ['--colour']],
    [
      'an address that is not this machine’s',
      ['--host', '192.0.2.1'],
      { DATABASE_URL: 'the test’s', MOBILEPOOL_ADMIN_KEY: ADMIN_KEY },
      ['192.0.2.1'],
    ],
  ])(
    'refuses %s in plain words, with exit code 1',
    async (_case, args, env, parts) => {
      const usable =
        'DATABASE_URL' in env && env.DATABASE_URL === 'the test’s'
          ? { ...env, DATABASE_URL: await postgres.createDatabase('elsewhere') }
          : env
      const { code, stderr, stdout } = await run(args, usable)
      expect(code).toBe(1)
      for (const part of parts) expect(stderr).toContain(part)
      expect(stderr + stdout).not.toMatch(/\n\s+at |pa55word/)
    },
    90_000,
  )

  test('refuses a data folder under one that takes none, and does not look for it for ever', async () => {
    const { code, stderr } = await run(['--data-dir', '/proc/mobilepool/deeper'])
    expect(code).toBe(1)
    expect(stderr).toMatch(/^mobilepool-hub: The data folder \/proc\/mobilepool\/deeper cannot be used \(ENOENT\).*\n$/)
  })

  test('refuses a data folder that cannot be written', async () => {
    await writeFile(join(dataDir, 'file'), '')
    const { code, stderr } = await run(['--data-dir', join(dataDir, 'file', 'deeper')])
    expect(code).toBe(1)
    expect(stderr).toMatch(/^mobilepool-hub: The data folder .* cannot be used \(ENOTDIR\).*\n$/)
  })
})

let postgres: TestPostgres
let databases = 0
const onPostgres = async () => ({ DATABASE_URL: await postgres.createDatabase(`process_${databases++}`) })
beforeAll(async () => {
  postgres = await startPostgres()
})
afterAll(() => postgres.close())

describe('a first start', () => {
  test('on loopback makes an admin key, shows it once, and never again', async () => {
    const env = await onPostgres()
    const first = await start(env)
    const [, key = ''] = /Admin key, shown this once: (\S+)/.exec(first.stdout()) ?? []
    expect((await first.ask('/api/v1/keys', { key })).json.keys).toMatchObject([{ scope: 'admin', name: 'first start' }])
    expect(first.output().split(key)).toHaveLength(2)
    await stop(first, 'SIGTERM')
    const second = await start(env)
    expect(second.stdout()).not.toContain('Admin key')
    expect((await second.ask('/api/v1/keys', { key })).status).toBe(200)
    expect(second.output()).not.toContain(key)
  })

  test('on an address that others reach is refused without a key; admin create-key makes one', async () => {
    const env = await onPostgres()
    const refused = await run(['--port', '0', '--host', '0.0.0.0'], env)
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('admin create-key')
    const wrong = await run(['admin', 'create-key', '--scope', 'root', '--name', 'me'], env)
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('--scope must be admin, proxy, read or device') })
    const made = await run(['admin', 'create-key', '--scope', 'admin', '--name', 'me'], env)
    expect(made).toMatchObject({ code: 0, stdout: expect.stringMatching(/^mp_\S{43}\n$/) })
    const hub = await start(env, '--host', '0.0.0.0')
    expect((await send(`${hub.url}/api/v1/keys`, { key: made.stdout.trim() })).status).toBe(200)
    expect((await send(`${hub.url}/status`)).status).toBe(401)
    // A key that another process makes is known at once.
    const later = await run(['admin', 'create-key', '--scope', 'proxy', '--name', 'parser'], env)
    expect((await send(`${hub.url}/api/v1/proxy/list`, { key: later.stdout.trim() })).status).toBe(200)
  })
})

test('a port that is taken is said in one sentence', async () => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as { port: number }
  const { code, stderr } = await run(['--port', String(port)], await onPostgres())
  taken.close()
  expect(code).toBe(1)
  expect(stderr).toMatch(new RegExp(`^mobilepool-hub: Port ${port} of 127.0.0.1 is taken: .*\\n$`))
})

describe('the embedded database', () => {
  let template: string
  beforeAll(async () => {
    template = await mkdtemp(join(tmpdir(), 'mobilepool-template-'))
    await (await openStore({ dataDir: template, databaseUrl: null, databasePoolSize: 2, secretKey: SECRET_KEY })).close()
  })
  beforeEach(() => cp(template, dataDir, { recursive: true }))
  afterAll(() => rm(template, { recursive: true, force: true }))

  test('belongs to one hub: a second one, and the admin command, are refused with the holder’s process', async () => {
    const first = await start({ MOBILEPOOL_ADMIN_KEY: ADMIN_KEY })
    const second = await run(['--port', '0'])
    expect(second.code).toBe(1)
    expect(second.stderr).toMatch(new RegExp(`^mobilepool-hub: Another hub \\(process ${first.child.pid}\\) uses .*\\n$`))
    const admin = await run(['admin', 'create-key', '--scope', 'admin', '--name', 'me'])
    expect(admin).toMatchObject({ code: 1, stderr: expect.stringContaining('POST /api/v1/keys') })
    expect((await first.ask('/proxy_server?name=seoul-01')).status).toBe(200)
  })

  test('a hub killed under load loses nothing that it had written: devices, keys, addresses, rotations', async () => {
    const env = { MOBILEPOOL_ADMIN_KEY: ADMIN_KEY, ROTATION_TIMEOUT: '300' }
    let hub = await start(env)
    const { json: token } = await hub.ask('/api/v1/agents/tokens', { method: 'POST', key: 'admin' })
    const enrolled = await hub.ask('/api/v1/agents/enroll', {
      method: 'POST',
      body: { token: token.token, name: 'busan-03', device_type: 'android', agent_version: '1.0.0' },
    })
    const key = enrolled.json.device_key as string
    const beat = () =>
      hub.ask('/api/v1/agents/heartbeat', {
        method: 'POST',
        key,
        body: { agent_version: '1', proxy_url: 'http://u:hunter2@127.0.0.1:1', methods: ['reconnect'] },
      })
    await beat()
    const rotation = (await hub.ask('/api/v1/admin/devices/busan-03/rotate', { method: 'POST', key: 'admin' })).json.rotation

    for (let round = 0; round < 3; round++) {
      const names = Array.from({ length: 10 }, (_, n) => `phone-${round}-${n}`)
      for (const [n, name] of names.entries())
        for (const host of [1, 2]) await hub.ask(`/proxy_server?name=${name}`, { from: `127.10.${n + 1}.${host}` })
      await vi.waitFor(async () => expect((await hub.ask('/readyz')).json).toMatchObject({ waiting: 0 }), { timeout: 20_000 })
      const written = (await hub.ask('/status')).json.proxies as { name: string; last_seen: string; ip_changes: number }[]

      const enough = new AbortController()
      /** Changes of address that were answered for. */
      const acknowledged = new Map(names.map((name) => [name, 1]))
      const load = names.map(async (name, n) => {
        for (let host = 1; !enough.signal.aborted; host = (host % 200) + 1) {
          const answer = await hub.ask(`/proxy_server?name=${name}`, { from: `127.10.${n + 1}.${host}` }).catch(() => null)
          if (answer?.json.ip_changed === true) acknowledged.set(name, (acknowledged.get(name) ?? 0) + 1)
        }
      })
      await vi.waitFor(async () =>
        expect(
          (await hub.ask('/status')).json.proxies.some(
            (now: { name: string; last_seen: string }) =>
              names.includes(now.name) && now.last_seen > (written.find(({ name }) => name === now.name)?.last_seen ?? ''),
          ),
        ).toBe(true),
      )
      await vi.waitFor(() => expect(Math.min(...acknowledged.values())).toBeGreaterThan(3))
      await stop(hub, 'SIGKILL')
      enough.abort()
      await Promise.all(load)

      hub = await start(env)
      const found = (await hub.ask('/status')).json.proxies as { name: string; last_seen: string; ip_changes: number }[]
      for (const was of written) {
        const is = found.find(({ name }) => name === was.name)
        expect(is, was.name).toBeDefined()
        expect((is?.last_seen ?? '') >= was.last_seen, was.name).toBe(true)
        expect(is?.ip_changes, was.name).toBeGreaterThanOrEqual(acknowledged.get(was.name) ?? was.ip_changes)
      }
      expect((await hub.ask(`/api/v1/rotations/${rotation.id}`, { key: 'admin' })).json).toMatchObject({
        id: rotation.id,
        state: 'draining',
      })
      expect((await beat()).status).toBe(200)
    }
    expect(hub.stdout()).not.toContain('Admin key')
    for (const secret of [key, ADMIN_KEY, SECRET_KEY, 'hunter2', token.token]) expect(hub.output()).not.toContain(secret)
  })
})

describe('a stop', () => {
  test.each([
    ['SIGTERM', 'SIGTERM', undefined],
    ['SIGINT', 'SIGINT', undefined],
    ['a Ctrl-C that npx hands on once more', 'SIGINT', 2],
  ] as const)(
    'by %s ends streams and polls and leaves nothing behind, within seconds',
    async (_name, signal, repeatedAfterMs) => {
      const hub = await start({ ...(await onPostgres()), MOBILEPOOL_ADMIN_KEY: ADMIN_KEY })
      const { json: token } = await hub.ask('/api/v1/agents/tokens', { method: 'POST', key: 'admin' })
      const body = { token: token.token, name: 'busan-03', device_type: 'android', agent_version: '1.0.0' }
      const key = (await hub.ask('/api/v1/agents/enroll', { method: 'POST', body })).json.device_key
      const stream = new EventReader(`${hub.url}/api/v1/events`)
      await stream.opened
      const poll = hub.ask('/api/v1/agents/commands?wait=60', { key })
      await hub.ask('/proxy_server?name=seoul-01')
      const { code, ms } = await stop(hub, signal, repeatedAfterMs)
      expect(code).toBe(0)
      expect(ms).toBeLessThan(8_000)
      await stream.ended
      expect((await poll).json).toEqual({ commands: [] })
      await expect(send(`${hub.url}/healthz`)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    },
    90_000,
  )
})
