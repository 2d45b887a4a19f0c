import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { FleetEvent } from '../src/fleet/events.ts'
import { FleetEvents } from '../src/fleet/events.ts'
import { startHub, type TestHub } from './hub.ts'
import { loggedIn } from './logged-in.ts'

let hub: TestHub
let deviceId: string
const heard: FleetEvent[] = []
beforeAll(async () => {
  const announce = FleetEvents.prototype.announce
  vi.spyOn(FleetEvents.prototype, 'announce').mockImplementation(function (this: FleetEvents, event) {
    heard.push(event)
    announce.call(this, event)
  })
  hub = await startHub({ passwordCost: 10, apiRateLimit: 1_000, addressRateLimit: 20 })
  deviceId = (await hub.addDevice({ name: 'seoul-01' })).id
})
afterAll(() => hub.remove())

const usage = (key: string, attempts: number[], id = randomUUID()) => {
  const record = { device_id: deviceId, exit_ip: null, target: 'shop.com/', method: 'GET', status: 200, outcome: 'answered' }
  const records = attempts.map((attempt) => ({
    ...record,
    attempt,
    bytes_out: 1,
    bytes_in: 1,
    duration_ms: 1,
    at: new Date().toISOString(),
  }))
  return hub.ask('/api/v1/usage', { method: 'POST', key, body: { id, records } })
}
const makeKey = async (body: Record<string, unknown>, key = 'admin') =>
  (await hub.ask('/api/v1/keys', { method: 'POST', key, body: { name: 'parser', scope: 'proxy', ...body } })).json
const keyOf = async (id: string) => (await hub.ask('/api/v1/keys', { key: 'admin' })).json.keys.find((key: { id: string }) => key.id === id)

describe('a request quota', () => {
  test('counts requests, not attempts, of the key and of its user; when it is used up the Proxy API says so', async () => {
    const carol = await loggedIn(hub, 'carol', { requests_limit: 5 })
    const key = await makeKey({ requests_limit: 100 }, carol.token)
    const batch = randomUUID()
    expect((await usage(key.key, [1, 2, 3, 1, 1], batch)).status).toBe(200)
    await usage(key.key, [1, 2, 3, 1, 1], batch)
    const me = async () => (await hub.ask('/api/v1/auth/me', { key: key.key })).json.user.requests_used
    expect(await me()).toBe(3)
    expect((await keyOf(key.id)).requests_used).toBe(3)
    expect((await hub.ask('/api/v1/proxy/list', { key: key.key })).status).toBe(200)

    await usage(key.key, [1, 1, 1])
    const over = await hub.ask('/api/v1/proxy/list', { key: key.key })
    expect(over).toMatchObject({
      status: 429,
      json: { code: 'quota_exhausted', detail: expect.stringMatching(/user carol has used 6 of 5 requests/) },
    })
    expect(Number(over.headers['retry-after'])).toBeGreaterThan(0)
    expect((await hub.ask('/api/v1/rotations', { key: key.key })).status).toBe(200)
    expect(heard.filter(({ type }) => type === 'limit_exceeded')).toEqual([
      { type: 'limit_exceeded', of: 'user', id: carol.id, name: 'carol', limit: 5, used: 6, at: expect.any(Number) },
    ])
    // What was reported for requests that are over is counted all the same, and nobody is told twice.
    await usage(key.key, [1])
    expect(heard.filter(({ type }) => type === 'limit_exceeded')).toHaveLength(1)
    await hub.ask(`/api/v1/users/${carol.id}`, { method: 'PATCH', key: 'admin', body: { requests_used: 0 } })
    expect((await hub.ask('/api/v1/proxy/list', { key: key.key })).status).toBe(200)
  })

  test('outlives the hub', async () => {
    const key = await makeKey({ requests_limit: 2 })
    await usage(key.key, [1, 1])
    hub = await hub.restart()
    expect((await keyOf(key.id)).requests_used).toBe(2)
    expect((await hub.ask('/api/v1/proxy/list', { key: key.key })).json).toMatchObject({ code: 'quota_exhausted' })
    await hub.ask(`/api/v1/keys/${key.id}`, { method: 'PATCH', key: 'admin', body: { requests_limit: null } })
    expect((await hub.ask('/api/v1/proxy/list', { key: key.key })).status).toBe(200)
  })
})

describe('a rate limit', () => {
  test('of a key is told with each answer, and kept', async () => {
    const key = await makeKey({ rate_limit: 3 })
    const left: unknown[] = []
    for (let n = 0; n < 3; n++) {
      const { headers } = await hub.ask('/api/v1/proxy/list', { key: key.key })
      expect(headers['ratelimit-policy']).toBe('"default";q=3;w=60')
      left.push(/r=(\d+)/.exec(String(headers.ratelimit))?.[1])
    }
    expect(left).toEqual(['2', '1', '0'])
    const refused = await hub.ask('/api/v1/proxy/list', { key: key.key })
    expect(refused).toMatchObject({
      status: 429,
      json: { code: 'too_many_requests', detail: expect.stringContaining('"parser" asks more than 3') },
    })
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(10)
    expect((await hub.ask('/api/v1/proxy/list', { key: 'admin' })).headers['ratelimit-policy']).toBe('"default";q=1000;w=60')
  })

  test('of an address without a key is its own, and heartbeats are not counted', async () => {
    const statuses = new Map<number, number>()
    for (let n = 0; n < 25; n++) {
      const { status } = await hub.ask('/status', { from: '127.6.0.1' })
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    }
    expect(statuses).toEqual(
      new Map([
        [200, 20],
        [429, 5],
      ]),
    )
    expect((await hub.ask('/status', { from: '127.6.0.2' })).status).toBe(200)
    for (let n = 0; n < 25; n++) expect((await hub.ask('/proxy_server?name=kazan-02', { from: '127.6.0.1' })).status).toBe(200)
  })

  test('does not weigh on an agent’s heartbeat', async () => {
    const key = await hub.enrol('busan-03')
    const body = { agent_version: '1', proxy_url: 'http://127.0.0.1:8080', methods: [] }
    const { status, headers } = await hub.ask('/api/v1/agents/heartbeat', { method: 'POST', key, body })
    expect(status).toBe(200)
    for (const name of ['ratelimit', 'content-security-policy', 'x-frame-options']) expect(headers[name]).toBeUndefined()
  })
})

test('when and from where a key was last used is listed, and written when the hub stops', async () => {
  const key = await makeKey({})
  expect((await keyOf(key.id)).last_used_at).toBeNull()
  const before = Date.now()
  await hub.ask('/api/v1/proxy/list', { key: key.key })
  expect(Date.parse((await keyOf(key.id)).last_used_at)).toBeGreaterThanOrEqual(before)
  hub = await hub.restart()
  expect(Date.parse((await keyOf(key.id)).last_used_at)).toBeGreaterThanOrEqual(before)
})
