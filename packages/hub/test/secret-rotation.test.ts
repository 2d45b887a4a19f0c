import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { newPendingDevice, settingsOf } from '../src/fleet/device.ts'
import { openStore, type Store } from '../src/store/index.ts'
import { sharedPostgres } from './hub.ts'

/** initdb in WebAssembly takes 3 s alone, and many times that beside other work. */
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url))
const FORMER = 'the former secret of the tests'
const NEXT = 'the-next-secret-of-the-tests'
const T0 = Date.parse('2026-11-22T03:00:00.123Z')
const deviceId = randomUUID()
const channelId = randomUUID()

let dir: string
let keyFile: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'mobilepool-secret-'))
  keyFile = join(dir, 'new.key')
  await writeFile(keyFile, `${NEXT}\n`)
})
afterAll(() => rm(dir, { recursive: true }))

function rotate(options: { dataDir: string; databaseUrl: string | null; secretKey: string | null }, file = keyFile) {
  const env = {
    PATH: process.env.PATH,
    HUB_DATA_DIR: options.dataDir,
    ...(options.secretKey === null ? {} : { SECRET_KEY: options.secretKey }),
    ...(options.databaseUrl === null ? {} : { DATABASE_URL: options.databaseUrl }),
  }
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'admin', 'rotate-secret', '--to', file], { env, encoding: 'utf8' })
  return { status, stdout, stderr }
}

/** A value in every column that is encrypted. */
async function fill(store: Store): Promise<void> {
  const device = settingsOf(newPendingDevice(deviceId, 'seoul-01', T0, { rotationInterval: 600, requestsPerMinute: null }))
  await store.devices.put({
    ...device,
    proxyUrl: 'http://u:p%40ss@10.0.0.5:8080',
    rotationUrl: 'https://provider.example/changeip/TOKEN',
    rotationToken: 'a token',
    rotationHeaders: { 'x-key': 'a header' },
    rotationBody: 'a body',
    adoptedAt: T0,
  })
  await store.alertChannels.put({
    id: channelId,
    kind: 'slack',
    name: 'farm',
    source: 'api',
    address: { webhook_url: 'https://hooks.example/T0' },
    target: 'hooks.example',
    enabled: true,
    minSeverity: 'info',
    rules: null,
    disabledReason: null,
    lastSentAt: null,
    lastError: null,
    createdAt: T0,
    updatedAt: T0,
  })
}

async function read(store: Store): Promise<unknown> {
  const [device] = await store.devices.all()
  const [channel] = await store.alertChannels.all()
  const { proxyUrl, rotationUrl, rotationToken, rotationHeaders, rotationBody } = device ?? {}
  return { proxyUrl, rotationUrl, rotationToken, rotationHeaders, rotationBody, address: channel?.address }
}

/** Everything in the database that looks sealed, wherever it is. */
async function sealed(store: Store): Promise<string[]> {
  let text = ''
  for await (const line of store.dump()) text += line
  return text.match(/v1\.[A-Za-z0-9_-]{30,}/g) ?? []
}

async function withStore<T>(options: Parameters<typeof openStore>[0], work: (store: Store) => Promise<T>): Promise<T> {
  const store = await openStore(options)
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}

describe.each(['embedded', 'postgres'] as const)('%s', (kind) => {
  const make = async (name: string) => ({
    dataDir: join(dir, `${kind}-${name}`),
    databaseUrl: kind === 'embedded' ? null : await sharedPostgres().createDatabase(`secret_${name}`),
    databasePoolSize: 2,
    secretKey: FORMER,
  })

  test('a new secret opens everything that the former one opened, which opens nothing any more', async () => {
    const options = await make('whole')
    const before = await withStore(options, async (store) => {
      await fill(store)
      return { values: await read(store), sealed: await sealed(store) }
    })
    // Proxy, URL, token, headers, body, channel, and the value that tells a wrong secret.
    expect(before.sealed).toHaveLength(7)

    expect(rotate(options)).toMatchObject({ status: 0, stdout: '7 values are encrypted anew.\n' })

    await withStore({ ...options, secretKey: NEXT }, async (store) => {
      expect(await read(store)).toEqual(before.values)
      const after = await sealed(store)
      expect(after).toHaveLength(7)
      expect(after.filter((value) => before.sealed.includes(value))).toEqual([])
    })
    await expect(openStore(options)).rejects.toMatchObject({ code: 'secret_key_wrong' })
  })

  test('with a wrong secret, a secret that is too short, or the same one nothing is changed', async () => {
    const options = await make('refused')
    await withStore(options, fill)
    const short = join(dir, 'short.key')
    await writeFile(short, 'short\n')
    const same = join(dir, 'same.key')
    await writeFile(same, 'one-secret-without-spaces\n')
    expect(rotate({ ...options, secretKey: 'not the secret of this database' })).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('SECRET_KEY'),
    })
    expect(rotate(options, short)).toMatchObject({ status: 1, stderr: expect.stringContaining('--to') })
    expect(rotate(options, join(dir, 'missing.key'))).toMatchObject({ status: 1, stderr: expect.stringContaining('ENOENT') })
    expect(rotate({ ...options, secretKey: 'one-secret-without-spaces' }, same)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('used already'),
    })
    await withStore(options, async (store) => expect(await read(store)).toMatchObject({ rotationToken: 'a token' }))
  })
})

test('a data folder that keeps its own secret keeps the new one', async () => {
  const options = { dataDir: join(dir, 'own'), databaseUrl: null, databasePoolSize: 2, secretKey: null }
  await withStore(options, fill)
  expect(rotate(options)).toMatchObject({ status: 0 })
  expect(await readFile(join(options.dataDir, 'secret.key'), 'utf8')).toBe(`${NEXT}\n`)
  expect((await readdir(options.dataDir)).filter((name) => name.startsWith('secret'))).toEqual(['secret.key'])
  await withStore(options, async (store) => expect(await read(store)).toMatchObject({ rotationToken: 'a token' }))
})

test('on a Postgres that a hub is at work on it is refused', async () => {
  const databaseUrl = await sharedPostgres().createDatabase('secret_at_work')
  const options = { dataDir: join(dir, 'at-work'), databaseUrl, databasePoolSize: 2, secretKey: FORMER }
  await withStore(options, async (store) => {
    await fill(store)
    await store.pulse.beat(Date.now())
  })
  expect(rotate(options)).toMatchObject({ status: 1, stderr: expect.stringContaining('stop every hub') })
  await withStore(options, async (store) => expect(await read(store)).toMatchObject({ rotationToken: 'a token' }))
})
