import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { EventReader } from './event-reader.ts'
import { startFarEnd } from './far-end.ts'
import { sharedPostgres, startHub, type TestHub } from './hub.ts'
import { loggedIn } from './logged-in.ts'
import { usageRecord } from './records.ts'

let one: TestHub
let two: TestHub
beforeAll(async () => {
  const databaseUrl = await sharedPostgres().createDatabase('two_hubs')
  one = await startHub({ databaseUrl, passwordCost: 10 })
  two = await startHub({ databaseUrl, passwordCost: 10 })
})
afterAll(async () => {
  await one.remove()
  await two.remove()
})

const eventually = (check: () => Promise<void>) => vi.waitFor(check, { timeout: 20_000, interval: 100 })
const statusAt = async (hub: TestHub, key: string, path = '/api/v1/proxy/list') => (await hub.ask(path, { key })).status

test('a key made, revoked or limited at one hub is so at the other, and its streams there end', async () => {
  const made = (await one.ask('/api/v1/keys', { method: 'POST', key: 'admin', body: { name: 'parser', scope: 'proxy' } })).json
  expect(await statusAt(two, made.key)).toBe(200)
  const stream = new EventReader(`${two.url}/api/v1/events`, { headers: { authorization: `Bearer ${made.key}` } })
  await stream.opened
  await one.ask(`/api/v1/keys/${made.id}`, { method: 'PATCH', key: 'admin', body: { rate_limit: 7 } })
  await eventually(async () =>
    expect((await two.ask('/api/v1/proxy/list', { key: made.key })).headers['ratelimit-policy']).toContain('q=7;'),
  )
  await one.ask(`/api/v1/keys/${made.id}`, { method: 'DELETE', key: 'admin' })
  await stream.ended
  expect(await statusAt(two, made.key)).toBe(401)
})

test('a login works at both; its end, and the user’s, reach the other', async () => {
  const alice = await loggedIn(one, 'alice')
  await eventually(async () => expect(await statusAt(two, alice.token, '/api/v1/auth/me')).toBe(200))
  await one.ask('/api/v1/auth/logout', { method: 'POST', key: alice.token })
  await eventually(async () => expect(await statusAt(two, alice.token, '/api/v1/auth/me')).toBe(401))

  const bob = await loggedIn(one, 'bob')
  const key = (await bob.ask('/api/v1/keys', { method: 'POST', body: { name: 'parser', scope: 'proxy' } })).json.key
  await eventually(async () => expect(await statusAt(two, key)).toBe(200))
  await one.ask(`/api/v1/users/${bob.id}`, { method: 'DELETE', key: 'admin' })
  await eventually(async () => expect([await statusAt(two, key), await statusAt(two, bob.token, '/api/v1/auth/me')]).toEqual([401, 401]))
})

test('requests reported at both count together against one quota', async () => {
  const { id: deviceId } = await one.addDevice({ name: 'seoul-01' })
  const made = (await one.ask('/api/v1/keys', { method: 'POST', key: 'admin', body: { name: 'p', scope: 'proxy', requests_limit: 4 } }))
    .json
  const usage = async (hub: TestHub, requests: number) => {
    const body = { id: randomUUID(), records: Array.from({ length: requests }, () => usageRecord(deviceId)) }
    expect((await hub.ask('/api/v1/usage', { method: 'POST', key: made.key, body })).status).toBe(200)
  }
  await usage(one, 2)
  await usage(two, 2)
  for (const hub of [one, two])
    await eventually(async () =>
      expect((await hub.ask('/api/v1/proxy/list', { key: made.key })).json).toMatchObject({ code: 'quota_exhausted' }),
    )
})

test('requests through a device that the other hub has added are stored, those through nobody’s are not', async () => {
  const { id } = await one.addDevice({ name: 'busan-02' })
  const body = { id: randomUUID(), records: [usageRecord(id), usageRecord(randomUUID())] }
  const taken = await two.ask('/api/v1/usage', { method: 'POST', key: 'admin', body })
  expect(taken.json).toEqual({ stored: 1, unknown_devices: 1, duplicate: false })
})

test('rules, quiet hours and channels that are changed at one hub are so at the other', async () => {
  const alerts = (hub: TestHub, path: string, method = 'GET', body?: unknown) =>
    hub.ask(`/api/v1/alerts${path}`, { method, key: 'admin', ...(body === undefined ? {} : { body }) })
  const quiet = { from: '23:00', to: '07:00', time_zone: 'Asia/Seoul', pierced_by: 'critical' }
  await alerts(one, '/rules', 'PUT', { rules: [{ rule: 'same_ip', threshold: 5 }], quiet_hours: quiet })
  const sameIp = async (hub: TestHub) => {
    const { rules, quiet_hours } = (await alerts(hub, '/rules')).json
    return { ...rules.find(({ rule }: { rule: string }) => rule === 'same_ip'), quiet_hours }
  }
  // At once, before it can know: neither change may undo the other.
  await alerts(two, '/rules', 'PUT', { rules: [{ rule: 'same_ip', reminder: 3600 }] })
  for (const hub of [one, two])
    await eventually(async () => expect(await sameIp(hub)).toMatchObject({ quiet_hours: quiet, threshold: 5, reminder: 3600 }))

  const hook = await startFarEnd({ status: 204 })
  const names = async (hub: TestHub) => (await alerts(hub, '/channels')).json.channels.map(({ name }: { name: string }) => name)
  const made = (await alerts(one, '/channels', 'POST', { kind: 'webhook', name: 'ops', url: hook.url })).json
  await eventually(async () => expect(await names(two)).toContain('ops'))
  expect((await alerts(two, '/test', 'POST', { channel: 'ops' })).json).toMatchObject({ ok: true })
  await alerts(two, `/channels/${made.id}`, 'DELETE')
  await eventually(async () => expect(await names(one)).not.toContain('ops'))
  await hook.close()
})
