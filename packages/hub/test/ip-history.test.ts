import { randomUUID } from 'node:crypto'
import { device as deviceSchema, ipHistory, problem } from '@mobilepool/sdk/contract'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { scriptedAgent } from './agent.ts'
import { sharedPostgres, startHub, type TestHub } from './hub.ts'

const IPS = '/api/v1/admin/devices/seoul-01/ips'

let hub: TestHub
let id: string
beforeAll(async () => {
  hub = await startHub()
  id = (await hub.addDevice({ name: 'seoul-01', operator: 'SKT' })).id
})
afterAll(() => hub.remove())

const beat = async (from: string): Promise<void> => {
  expect((await hub.ask('/proxy_server?name=seoul-01', { from })).status).toBe(200)
}
const history = async (query = '') => ipHistory.parse((await hub.ask(IPS + query, { key: 'admin' })).json)
const shown = async () => deviceSchema.parse((await hub.ask('/api/v1/admin/devices/seoul-01', { key: 'admin' })).json)
const report = (records: Record<string, unknown>[], batch = randomUUID()) => {
  const at = new Date().toISOString()
  const whole = records.map((over) => ({
    device_id: id,
    exit_ip: '127.10.1.1',
    target: 'shop.com/a',
    method: 'GET',
    status: 200,
    outcome: 'answered',
    attempt: 1,
    bytes_out: 1,
    bytes_in: 1,
    duration_ms: 100,
    at,
    ...over,
  }))
  return hub.ask('/api/v1/usage', { method: 'POST', key: 'admin', body: { id: batch, records: whole } })
}

test('an address that comes back is recognised: how often, and until when it was there', async () => {
  await beat('127.10.1.1')
  await beat('127.10.1.2')
  expect((await shown()).ip_seen_before).toBeNull()
  await beat('127.10.1.1')
  await vi.waitFor(async () => expect((await shown()).ip_seen_before).toMatchObject({ times: 1 }), { timeout: 10_000 })
  const { ips, next } = await history()
  expect(next).toBeNull()
  expect(ips.map(({ ip, is_current, operator, seen_before }) => [ip, is_current, operator, seen_before?.times ?? 0])).toEqual([
    ['127.10.1.1', true, 'SKT', 1],
    ['127.10.1.2', false, 'SKT', 0],
    ['127.10.1.1', false, 'SKT', 0],
  ])
  expect(ips[0]?.seen_before?.last_seen).toBe(ips[2]?.last_seen)
})

test('the history goes on page by page', async () => {
  const first = await history('?limit=2')
  expect(first.ips).toHaveLength(2)
  const second = await history(`?limit=2&after=${first.next}`)
  expect([...first.ips, ...second.ips]).toEqual((await history()).ips)
  expect(second.next).toBeNull()
  expect(problem.parse((await hub.ask(`${IPS}?after=x`, { key: 'admin' })).json).errors).toMatchObject([{ field: 'after' }])
})

test('requests are counted once for the device and for the address they left by', async () => {
  const batch = randomUUID()
  const records = [
    {},
    { outcome: 'banned', status: 403, duration_ms: 300 },
    { exit_ip: '127.10.1.2' },
    { exit_ip: null, outcome: 'tunnel_timeout' },
  ]
  expect((await report(records, batch)).json).toMatchObject({ stored: 4 })
  expect((await report(records, batch)).json).toMatchObject({ duplicate: true })
  expect(await shown()).toMatchObject({ total_requests: 4, successful_requests: 2, failed_requests: 2, avg_response_time_ms: 150 })
  await vi.waitFor(async () => expect((await history()).ips.map(({ total_requests }) => total_requests)).toEqual([2, 1, 0]), {
    timeout: 10_000,
  })
})

test('a ban is counted once for the address, however often it is told, and named', async () => {
  const ban = (over: Record<string, unknown>) => ({
    reporter: randomUUID(),
    bans: [{ exit_ip: '127.10.1.1', site: 'shop.com', lasts_ms: 60_000, rule: 'status', ...over }],
  })
  for (const over of [{}, {}, { site: 'news.com', rule: null }])
    expect((await hub.ask('/api/v1/bans', { method: 'POST', key: 'admin', body: ban(over) })).status).toBe(200)
  await vi.waitFor(async () => expect((await history()).ips[0]?.times_blocked).toBe(2), { timeout: 10_000 })
  const [now] = (await history()).ips
  expect(now).toMatchObject({ is_blocked: true, blocked_for: ['news.com', 'shop.com'], blocked_reason: expect.any(String) })
  await hub.ask('/api/v1/bans', { method: 'POST', key: 'admin', body: ban({ lasts_ms: 0 }) })
  expect((await history()).ips[0]?.blocked_for).toEqual(['news.com'])
})

test('what an agent says of its device is shown, and known after a restart with all the rest', async () => {
  const key = await hub.enrol('busan-03')
  const telemetry = {
    operator: 'KT',
    network_type: 'LTE',
    signal: 70,
    battery: 55,
    temperature: 31.5,
    sim: 'ready',
    roaming: false,
    interface: 'wwan0',
  }
  const body = { agent_version: '1.0.0', proxy_url: null, methods: ['airplane_mode', 'device_reboot'], telemetry }
  expect((await hub.ask('/api/v1/agents/heartbeat', { method: 'POST', key, body, from: '127.10.3.1' })).status).toBe(200)
  const before = (await hub.ask('/api/v1/admin/devices/busan-03', { key: 'admin' })).json
  expect(before).toMatchObject({ telemetry, operator: 'KT', agent_version: '1.0.0', methods: ['airplane_mode', 'device_reboot'] })
  const seoul = await shown()
  hub = await hub.restart()
  const after = (await hub.ask('/api/v1/admin/devices/busan-03', { key: 'admin' })).json
  expect(after).toMatchObject({ telemetry, telemetry_at: before.telemetry_at })
  expect(await shown()).toEqual(seoul)
})

test('a restart of a device whose agent can do it is a rotation by reboot, once, with time for the device to start', async () => {
  const agent = await scriptedAgent(hub, 'ulsan-09')
  await agent.beat('127.10.9.1', { methods: ['airplane_mode', 'device_reboot'] })
  const limits = { rotation_max_time: 20, rotation_attempts: 5 }
  await hub.ask('/api/v1/admin/devices/ulsan-09', { method: 'PATCH', key: 'admin', body: limits })
  const asked = Date.now()
  const { status, json } = await hub.ask('/api/v1/admin/devices/ulsan-09/restart', { method: 'POST', key: 'admin' })
  expect(status).toBe(202)
  const { id } = json.rotation
  expect(json.rotation).toMatchObject({ device_name: 'ulsan-09', trigger: 'forced', max_attempts: 1 })
  const [order] = (await agent.order(5)).json.commands
  expect(order).toMatchObject({ id, method: 'device_reboot' })
  expect(Date.parse(order.deadline_at) - asked).toBeGreaterThanOrEqual(300_000)
  const back = { state: 'unchanged', method: 'device_reboot', old_ip: '127.10.9.1', new_ip: '127.10.9.1' }
  expect((await agent.report(id, '127.10.9.1', back)).json.rotation).toMatchObject({ state: 'unchanged', method: 'device_reboot' })
  expect((await agent.order(0)).json.commands).toEqual([])
})

test('two hubs on one database that hear a new name give it one id, with what either set for it', async () => {
  const databaseUrl = await sharedPostgres().createDatabase('two_hubs')
  const [one, two] = await Promise.all([startHub({ databaseUrl }), startHub({ databaseUrl })])
  const beats = [one, two].flatMap((at) => Array.from({ length: 5 }, () => at.ask('/proxy_server?name=kazan-02', { from: '127.10.2.2' })))
  for (const { status } of await Promise.all(beats)) expect(status).toBe(200)
  const idAt = async (at: TestHub): Promise<string> => (await at.ask('/api/v1/admin/devices/kazan-02', { key: 'admin' })).json.id
  await vi.waitFor(async () => expect(await idAt(two)).toBe(await idAt(one)), { timeout: 10_000 })
  await one.addDevice({ name: 'omsk-05', region: 'Omsk' })
  await two.ask('/proxy_server?name=omsk-05', { from: '127.10.5.5' })
  const omsk = async () => (await two.ask('/api/v1/admin/devices/omsk-05', { key: 'admin' })).json
  await vi.waitFor(async () => expect(await omsk()).toMatchObject({ status: 'online', region: 'Omsk', exit_ip: '127.10.5.5' }), {
    timeout: 10_000,
  })
  await Promise.all([one.remove(), two.remove()])
})
