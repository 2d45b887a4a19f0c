import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RotationJson, type RotationState, rotation } from '@mobilepool/sdk/contract'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { fromRecord, settingsOf } from '../src/fleet/device.ts'
import { openStore } from '../src/store/index.ts'
import { type HubProcess, PROCESS_SECRET_KEY, startHubProcess } from './hub-process.ts'
import { type MobileBox, type OnCall, rotatesTo, startBox } from './mobile-box.ts'
import { startPostgres, type TestPostgres } from './postgres.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 300_000 })

/** Says "ok" and does nothing: the test moves the box to its new address when the hub is dead. */
const says =
  (status: number, text: string): OnCall =>
  (_box, reply) =>
    void reply.writeHead(status).end(text)
/** Never answers: the request has been sent, and nobody knows what it did. */
const hangs: OnCall = () => {}

/**
 * One rotation in each state in which a hub can die, all at once; the hub is killed, everything moves on without it, and it is started again.
 * Nothing here depends on which of the two databases keeps the rotations.
 */
function survivesKill(database: () => Promise<Record<string, string>>): void {
  let hub: HubProcess
  let dataDir: string
  let env: Record<string, string>
  const boxes = new Map<string, MobileBox>()
  const keys = new Map<string, string>()
  const ids = new Map<string, string>()
  const orders = new Map<string, string>()

  const admin = async (method: string, path: string, body: unknown = {}) => {
    const answer = await hub.ask(`/api/v1/${path}`, { method, key: 'admin', body })
    expect(answer.status, `${path}: ${answer.text}`).toBeLessThan(300)
    return answer.json
  }
  const look = async (name: string): Promise<RotationJson> =>
    rotation.parse((await hub.ask(`/api/v1/rotations/${ids.get(name)}`, { key: 'admin' })).json)
  const reaches = (name: string, state: RotationState, attempt = 1) =>
    vi.waitFor(async () => expect(await look(name)).toMatchObject({ state, attempt }), { timeout: 60_000, interval: 50 })
  const ended = (name: string): Promise<RotationJson> =>
    vi.waitFor(
      async () => {
        const found = await look(name)
        expect(found.ended_at, `${name}: ${found.state}`).not.toBeNull()
        return found
      },
      { timeout: 60_000, interval: 100 },
    )
  const box = (name: string): MobileBox => {
    const found = boxes.get(name)
    if (!found) throw new Error(`no box ${name}`)
    return found
  }
  const rotate = async (name: string): Promise<void> => {
    ids.set(name, (await admin('POST', `admin/devices/${name}/rotate`)).rotation.id)
  }
  /** A bare device behind a box whose link the hub calls. */
  const bare = async (name: string, exit: string, onCall: OnCall, over: Record<string, unknown> = {}): Promise<void> => {
    const made = await startBox(exit, onCall)
    boxes.set(name, made)
    await admin('POST', 'admin/devices', { name, proxy_url: made.proxyUrl, rotation_url: made.link, auto_rotation: false, ...over })
  }
  const asAgent = (name: string, path: string, from: string, body?: unknown) =>
    hub.ask(`/api/v1/agents/${path}`, {
      ...(body === undefined ? {} : { method: 'POST', body }),
      key: keys.get(name) ?? '',
      from: '127.0.0.9',
      headers: { 'x-forwarded-for': from },
    })
  const beat = (name: string, from: string) =>
    asAgent(name, 'heartbeat', from, { agent_version: '1', proxy_url: 'http://127.0.0.1:8080', methods: ['reconnect'] })
  const report = (name: string, from: string, state: RotationState) =>
    asAgent(name, `commands/${orders.get(name)}`, from, {
      method: 'reconnect',
      state,
      old_ip: null,
      new_ip: null,
      reason: null,
      detail: null,
    })
  const takeOrder = async (name: string): Promise<string> => (await asAgent(name, 'commands?wait=20', '127.0.0.1')).json.commands[0].id
  /** An enrolled device, heard at both its addresses. */
  const enrolled = async (name: string): Promise<void> => {
    const { token } = await admin('POST', 'agents/tokens', { name })
    const body = { token, name, device_type: 'android', agent_version: '1' }
    keys.set(name, (await hub.ask('/api/v1/agents/enroll', { method: 'POST', body })).json.device_key)
    for (const ip of ['127.30.9.1', '2001:db8:30:1::1']) await beat(name, ip)
    await admin('PATCH', `admin/devices/${name}`, { auto_rotation: false })
  }

  /** As a hub leaves it that is killed after it wrote the maintenance, and before it ended the rotation. */
  const bench = async (name: string): Promise<void> => {
    const { DATABASE_URL: databaseUrl = null } = env
    const store = await openStore({ dataDir, databaseUrl, databasePoolSize: 1, secretKey: PROCESS_SECRET_KEY })
    const record = (await store.devices.all()).find((device) => device.name === name)
    if (!record) throw new Error(`no device ${name}`)
    await store.devices.put({ ...settingsOf(fromRecord(record)), maintenance: true })
    await store.close()
  }

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'mobilepool-restart-'))
    env = {
      HUB_DATA_DIR: dataDir,
      ROTATION_DRAIN: '3',
      ROTATION_TIMEOUT: '120',
      ROTATION_ATTEMPTS: '1',
      ROTATION_MIN_INTERVAL: '0',
      // Of ten devices eight are away when the hub is killed; one is between attempts, and one waits for a place.
      ROTATION_MAX_PARALLEL: '0.8',
      TRUST_PROXY: '127.0.0.9',
      ...(await database()),
    }
    hub = await startHubProcess(env)
    await bare('between', '127.30.1.1', says(503, 'modem not ready'), { rotation_attempts: 3, rotation_retry_delay: 20 })
    await bare('in-flight', '127.30.2.1', hangs)
    await bare('verifying', '127.30.3.1', says(200, '{"ok":1}'))
    await bare('draining', '127.30.4.1', rotatesTo('127.30.4.2', 0))
    for (const name of ['ordered', 'executing', 'coming-back', 'dual-stack', 'benched', 'waiting']) await enrolled(name)

    for (const name of ['ordered', 'executing', 'coming-back', 'dual-stack', 'benched']) {
      await rotate(name)
      orders.set(name, await takeOrder(name))
    }
    await report('executing', '127.30.9.1', 'rotating')
    await report('coming-back', '127.30.9.1', 'verifying')
    await report('dual-stack', '127.30.9.1', 'rotating')
    for (const name of ['in-flight', 'verifying', 'between']) await rotate(name)
    await reaches('in-flight', 'rotating')
    await reaches('verifying', 'verifying')
    await reaches('between', 'queued', 1)
    await rotate('draining')
    await rotate('waiting')
    expect(await look('draining')).toMatchObject({ state: 'draining' })
    expect(await look('waiting')).toMatchObject({ state: 'queued', attempt: 0 })

    await hub.kill()
    expect(box('draining').calls).toHaveLength(0)
    for (const [n, name] of ['between', 'in-flight', 'verifying'].entries()) box(name).exit = `127.30.${n + 1}.2`
    await bench('benched')
    hub = await startHubProcess(env)
    expect((await hub.ask('/api/v1/proxy/list?status=rotating', { key: 'admin' })).json.total).toBeGreaterThan(0)
  })
  afterAll(async () => {
    await hub.kill()
    await Promise.all([...boxes.values()].map((one) => one.close()))
    await rm(dataDir, { recursive: true, force: true })
  })

  test.each(['ordered', 'executing', 'coming-back'])(
    'an agent that was %s is given the same order, and its report counts',
    async (name) => {
      expect(await takeOrder(name)).toBe(orders.get(name))
      await report(name, '127.30.9.2', 'changed')
      expect(await look(name)).toMatchObject({ state: 'changed', old_ip: '127.30.9.1', new_ip: '127.30.9.2', attempt: 1 })
    },
  )

  test('a device with two families is judged by both: the IPv6 address that stayed is no change', async () => {
    await report('dual-stack', '2001:db8:30:1::77', 'changed')
    expect(await look('dual-stack')).toMatchObject({ state: 'unchanged', new_ip: '2001:db8:30:1::77' })
  })

  test('one that waited for a place gets it, with its order', async () => {
    await beat('waiting', '127.30.9.1')
    orders.set('waiting', await takeOrder('waiting'))
    await report('waiting', '127.30.9.3', 'changed')
    expect(await look('waiting')).toMatchObject({ state: 'changed', new_ip: '127.30.9.3' })
  })

  test.each([
    ['whose call was under way is verified, and not called again', 'in-flight', '127.30.2'],
    ['that was being verified is verified further', 'verifying', '127.30.3'],
  ])('a rotation by URL %s', async (_case, name, net) => {
    expect(await ended(name)).toMatchObject({ state: 'changed', old_ip: `${net}.1`, new_ip: `${net}.2`, attempt: 1, method: 'api_call' })
    expect(box(name).calls).toHaveLength(1)
  })

  test('a rotation by URL that had not been called is called, once', async () => {
    expect(await ended('draining')).toMatchObject({ state: 'changed', old_ip: '127.30.4.1', new_ip: '127.30.4.2', attempt: 1 })
    expect(box('draining').calls).toHaveLength(1)
  })

  test('a rotation between two attempts, whose IP has changed meanwhile, ends as changed without another call', async () => {
    const found = await ended('between')
    expect(found).toMatchObject({ state: 'changed', old_ip: '127.30.1.1', new_ip: '127.30.1.2' })
    expect(box('between').calls).toHaveLength(1)
  })

  test('a device that was just put into maintenance is left in peace', async () => {
    expect(await look('benched')).toMatchObject({ state: 'failed', reason: 'canceled' })
  })

  test('in the end no device is left rotating, and each rotation has ended once', async () => {
    expect((await hub.ask('/api/v1/proxy/list?status=rotating', { key: 'admin' })).json.total).toBe(0)
    const devices = (await hub.ask('/api/v1/admin/devices?limit=100', { key: 'admin' })).json.devices
    for (const name of ids.keys()) {
      const device = devices.find((one: { name: string }) => one.name === name)
      const { changed, unchanged, failed } = device.rotations
      expect(changed + unchanged + failed, name).toBe(1)
    }
  })
}

describe('a hub killed in the middle of rotations, on Postgres', () => {
  let postgres: TestPostgres | undefined
  afterAll(() => postgres?.close())
  survivesKill(async () => {
    postgres = await startPostgres()
    return { DATABASE_URL: await postgres.createDatabase('restart') }
  })
})

describe('a hub killed in the middle of rotations, on the embedded database', () => {
  survivesKill(() => Promise.resolve({}))
})
