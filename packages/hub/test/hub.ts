import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import pino from 'pino'
import { afterAll, beforeAll, vi } from 'vitest'
import { createHub, type Hub, type HubOptions } from '../src/index.ts'
import { type Answer, type Ask, send } from './client.ts'
import { startPostgres, type TestPostgres } from './postgres.ts'
import { secret, trace } from './secrets/trace.ts'

/** The admin key of every hub that tests start. */
export const ADMIN_KEY = secret('mp_test-admin-key-0123456789abcdef')
const SECRET_KEY = secret('a secret key of the tests')

/** A hub of the tests, with what they need of it. */
export interface TestHub extends Hub {
  readonly dataDir: string
  /** Everything it logged, at the finest level. */
  log(): string
  /** A request to it; `key: 'admin'` is the admin's. */
  ask(path: string, ask?: Ask): Promise<Answer>
  /** Adopts or adds a device, as an admin; returns its JSON. */
  addDevice(body: { name: string } & Record<string, unknown>): Promise<Answer['json']>
  /** Enrols a device and returns its key. */
  enrol(name: string): Promise<string>
  /** A key of scope `proxy`. */
  parserKey(): Promise<string>
  /** Stops it and starts another on the same data. */
  restart(over?: HubOptions): Promise<TestHub>
  /** Stops it and removes its data. */
  remove(): Promise<void>
}

// Beside other work on two cores initdb and its like take many times what they take alone.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 })

let postgres: TestPostgres | null = null
let databases = 0
beforeAll(async () => {
  postgres = await startPostgres()
})
afterAll(() => postgres?.close())

/** The test file's own Postgres: a hub on it starts in a tenth of the time that the embedded database takes. */
export function sharedPostgres(): TestPostgres {
  if (!postgres) throw new Error('Postgres is started by a hook: use it in tests only')
  return postgres
}

/** Starts a hub on a free port of 127.0.0.1, with a database of its own (`databaseUrl: null`: the embedded one). */
export async function startHub(options: HubOptions = {}): Promise<TestHub> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'mobilepool-hub-')))
  const databaseUrl = options.databaseUrl === undefined ? await sharedPostgres().createDatabase(`hub_${databases++}`) : options.databaseUrl
  let logged = ''
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      const text = chunk.toString()
      logged += text
      trace({ kind: 'log', text })
      done()
    },
  })
  const hub = await createHub(
    {
      port: 0,
      proxyPort: 'off',
      adminKey: ADMIN_KEY,
      secretKey: SECRET_KEY,
      databasePoolSize: 4,
      rotationMinIntervalMs: 0,
      rotationAttempts: 1,
      ...options,
      dataDir,
      databaseUrl,
    },
    { log: pino({ level: 'trace' }, sink) },
  )
  const ask = (path: string, { key, ...rest }: Ask = {}): Promise<Answer> =>
    send(hub.url + path, { ...rest, ...(key === undefined ? {} : { key: key === 'admin' ? ADMIN_KEY : key }) })
  const expectStatus = (answer: Answer, status: number): Answer => {
    if (answer.status !== status) throw new Error(`expected ${status}: ${answer.status} ${answer.text}`)
    return answer
  }
  return {
    ...hub,
    dataDir,
    log: () => logged,
    ask,
    async addDevice(body) {
      return expectStatus(await ask('/api/v1/admin/devices', { method: 'POST', key: 'admin', body }), 201).json
    },
    async enrol(name) {
      const { token } = expectStatus(await ask('/api/v1/agents/tokens', { method: 'POST', key: 'admin', body: { name } }), 201).json
      const body = { token, name, device_type: 'android', agent_version: '0.0.0-test' }
      return expectStatus(await ask('/api/v1/agents/enroll', { method: 'POST', body }), 201).json.device_key
    },
    async parserKey() {
      return expectStatus(await ask('/api/v1/keys', { method: 'POST', key: 'admin', body: { name: 'parser', scope: 'proxy' } }), 201).json
        .key
    },
    async restart(over = {}) {
      await hub.close()
      return startHub({ ...options, ...over, dataDir, databaseUrl })
    },
    async remove() {
      await hub.close()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}
