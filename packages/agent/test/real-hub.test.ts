import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { device, rotateReply, rotation } from '@mobilepool/sdk/contract'
import { pino } from 'pino'
import { fetch, ProxyAgent } from 'undici'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createHub, type Hub } from '../../hub/src/index.ts'
import { type Agent, createAgent } from '../src/index.ts'
import { eventually } from './agent-process.ts'

const adminKey = 'mp_agent-test-admin-key-0123456789'
let folder: string
let hub: Hub
let agent: Agent | null = null

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mp-real-hub-'))
  hub = await createHub({ port: 0, dataDir: join(folder, 'hub'), adminKey, rotationMinIntervalMs: 0, logLevel: 'silent' })
})

afterAll(async () => {
  await agent?.stop()
  await hub.close()
  await rm(folder, { recursive: true, force: true })
})

const ask = async (method: string, path: string, body?: unknown): Promise<unknown> => {
  const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' }
  const reply = await fetch(`${hub.url}${path}`, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${await reply.text()}`)
  return reply.json()
}

test('with a real hub a device enrols, is online with its exit IP, serves, and rotates to a verdict of the hub’s own', async () => {
  const { token } = (await ask('POST', '/api/v1/agents/tokens', { name: 'seoul-01' })) as { token: string }
  const started = createAgent(
    {
      hub: hub.url,
      token,
      name: 'seoul-01',
      stateDir: join(folder, 'agent'),
      driver: 'simulated',
      driverOptions: { firstAddress: '127.10.9.1' },
      type: 'android',
    },
    { log: pino({ level: 'silent' }) },
  )
  agent = started
  const { proxyUrl, deviceId } = await started.start()
  const look = async () => device.parse(await ask('GET', '/api/v1/admin/devices/seoul-01'))
  const online = await eventually(async () => {
    const seen = await look()
    return seen.status === 'online' && seen.exit_ip !== null && seen.proxy_url !== null ? seen : null
  }, 'the device is online')
  expect(online).toMatchObject({ id: deviceId, exit_ip: '127.10.9.1', proxy_url: proxyUrl, device_type: 'android', kind: 'agent' })

  const dispatcher = new ProxyAgent(proxyUrl)
  const exitIp = async (): Promise<unknown> => (await fetch(`${hub.url}/api/v1/echo`, { dispatcher })).json()
  expect(await exitIp()).toEqual({ ip: '127.10.9.1' })

  const { rotation: ordered } = rotateReply.parse(await ask('POST', '/api/v1/admin/devices/seoul-01/rotate', {}))
  const ended = await eventually(async () => {
    const now = rotation.parse(await ask('GET', `/api/v1/rotations/${ordered.id}`))
    return now.ended_at === null ? null : now
  }, 'the rotation is over')
  expect(ended).toMatchObject({ state: 'changed', old_ip: '127.10.9.1', new_ip: '127.10.9.2', method: 'airplane_mode', reason: null })
  expect(await eventually(() => exitIp().catch(() => null), 'the device serves again')).toEqual({ ip: '127.10.9.2' })
  await dispatcher.destroy()
}, 60_000)
