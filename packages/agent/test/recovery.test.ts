import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type DeviceJson, device } from '@mobilepool/sdk/contract'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createHub, type Hub } from '../../hub/src/index.ts'
import type { Clock } from '../src/clock.ts'
import { type Agent, createAgent } from '../src/index.ts'
import { eventually } from './agent-process.ts'

const adminKey = 'mp_recovery-test-admin-key-0123456789'
/** Half an hour of the agent's patience in a minute. */
const QUICKER = 30
let folder: string
let hub: Hub
let agent: Agent

const begun = Date.now()
const quickClock: Clock = {
  now: () => begun + (Date.now() - begun) * QUICKER,
  async sleep(ms, signal) {
    signal?.throwIfAborted()
    await delay(Math.min(Math.max(0, ms / QUICKER), 2 ** 31 - 1), undefined, signal ? { signal } : {}).catch(() => {
      throw signal?.reason
    })
  },
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mp-recovery-'))
  hub = await createHub({ port: 0, dataDir: join(folder, 'hub'), adminKey, logLevel: 'silent' })
})

afterAll(async () => {
  await agent.stop()
  await hub.close()
  await rm(folder, { recursive: true, force: true })
})

async function ask(method: string, path: string, body?: unknown): Promise<unknown> {
  const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' }
  const reply = await fetch(`${hub.url}${path}`, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${await reply.text()}`)
  return reply.json()
}
const look = async (): Promise<DeviceJson> => device.parse(await ask('GET', '/api/v1/admin/devices/seoul-01'))

test('a modem whose session is lost by itself is back without anybody, and the hub is told how', { timeout: 120_000 }, async () => {
  const { token } = (await ask('POST', '/api/v1/agents/tokens', { name: 'seoul-01' })) as { token: string }
  const driverOptions = { firstAddress: '127.10.41.1', loseSessionAfterMs: 200_000, holdsMs: [1_000] }
  agent = createAgent(
    { hub: hub.url, token, name: 'seoul-01', stateDir: join(folder, 'agent'), driver: 'simulated', driverOptions },
    { log: pino({ level: 'silent' }), clock: quickClock },
  )
  await agent.start()
  await eventually(async () => (await look()).exit_ip === '127.10.41.1', 'the device is online')
  await eventually(() => agent.status()?.trouble?.found === 'offline', 'the agent has seen the trouble')

  const back = await eventually(async () => {
    const seen = await look()
    return seen.telemetry?.recovered_by === 'airplane_mode' ? seen : null
  }, 'the hub is told of the recovery')
  expect(back).toMatchObject({ exit_ip: '127.10.41.2', status: 'online' })
  expect(back.telemetry?.recovered_after_s).toBeGreaterThanOrEqual(60)
  expect(agent.status()).toMatchObject({ trouble: null, recoveries: { airplane_mode: 1 }, is_rotating: false })
})
