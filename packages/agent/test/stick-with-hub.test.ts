import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { device, rotateReply, rotation } from '@mobilepool/sdk/contract'
import { pino } from 'pino'
import { fetch } from 'undici'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createHub, type Hub } from '../../hub/src/index.ts'
import { type Agent, createAgent } from '../src/index.ts'
import { eventually } from './agent-process.ts'
import { HilinkSimulator } from './hilink-simulator.ts'

const adminKey = 'mp_agent-test-admin-key-0123456789'
let folder: string
let hub: Hub
let stick: HilinkSimulator
let agent: Agent | null = null

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mp-stick-'))
  stick = await HilinkSimulator.start({ password: 'secret' })
  hub = await createHub({
    port: 0,
    dataDir: join(folder, 'hub'),
    adminKey,
    rotationMinIntervalMs: 0,
    rotationAttempts: 1,
    logLevel: 'silent',
  })
})

afterAll(async () => {
  await agent?.stop()
  await hub.close()
  await stick.stop()
  await rm(folder, { recursive: true, force: true })
})

const ask = async (method: string, path: string, body?: unknown): Promise<unknown> => {
  const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' }
  const reply = await fetch(`${hub.url}${path}`, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${await reply.text()}`)
  return reply.json()
}

test('the hub shows what a HiLink stick says of itself, and is told "unchanged" when the stick was off and on and its IP is the same', async () => {
  const { token } = (await ask('POST', '/api/v1/agents/tokens', { name: 'busan-03' })) as { token: string }
  agent = createAgent(
    {
      hub: hub.url,
      token,
      name: 'busan-03',
      stateDir: join(folder, 'agent'),
      driver: 'hilink',
      driverOptions: { url: stick.url, sourceAddress: '127.10.4.1', password: 'secret', holdsMs: [0] },
      type: 'usb_modem',
    },
    { log: pino({ level: 'silent' }) },
  )
  await agent.start()
  const seen = await eventually(async () => {
    const now = device.parse(await ask('GET', '/api/v1/admin/devices/busan-03'))
    return now.status === 'online' && (now.methods ?? []).length > 0 ? now : null
  }, 'the hub has heard of the stick')
  expect(seen).toMatchObject({
    exit_ip: '127.10.4.1',
    methods: ['data_toggle', 'network_reset', 'device_reboot'],
    telemetry: { operator: 'Test & Net', network_type: 'LTE', signal: 80, sim: 'ready', roaming: false },
  })

  const { rotation: ordered } = rotateReply.parse(await ask('POST', '/api/v1/admin/devices/busan-03/rotate', {}))
  const ended = await eventually(async () => {
    const now = rotation.parse(await ask('GET', `/api/v1/rotations/${ordered.id}`))
    return now.ended_at === null ? null : now
  }, 'the rotation is over')
  expect(ended).toMatchObject({ state: 'unchanged', old_ip: '127.10.4.1', new_ip: '127.10.4.1', method: 'data_toggle', reason: null })
  const [off, on] = ['/api/dialup/mobile-dataswitch 0', '/api/dialup/mobile-dataswitch 1']
  expect(stick.writes).toEqual([off, on])
  expect(stick.isDataOn).toBe(true)
}, 60_000)
