import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startHub, type TestHub } from './hub.ts'
import { type LoggedInUser, loggedIn } from './logged-in.ts'

type Credential = 'nobody' | 'read' | 'proxy' | 'device' | 'user'

/**
 * What others than admins may do; every operation that is not here must refuse them all. Whoever adds a route says here who may use it.
 * `user`: one who is logged in.
 */
const OPEN: Record<string, readonly Credential[]> = {
  'GET /proxy_server': ['nobody', 'read', 'proxy', 'device', 'user'],
  'GET /healthz': ['nobody', 'read', 'proxy', 'device', 'user'],
  'GET /readyz': ['nobody', 'read', 'proxy', 'device', 'user'],
  'GET /status': ['read', 'proxy', 'user'],
  'GET /metrics': ['read', 'proxy', 'user'],
  'GET /api/v1/echo': ['nobody', 'read', 'proxy', 'device', 'user'],
  'GET /api/v1/events': ['read', 'proxy', 'user'],
  'POST /api/v1/auth/login': ['nobody', 'read', 'proxy', 'device', 'user'],
  'POST /api/v1/auth/refresh': ['nobody', 'read', 'proxy', 'device', 'user'],
  'POST /api/v1/auth/logout': ['nobody', 'read', 'proxy', 'device', 'user'],
  'GET /api/v1/auth/me': ['read', 'proxy', 'device', 'user'],
  'POST /api/v1/auth/password': ['user'],
  'GET /api/v1/keys': ['user'],
  'POST /api/v1/keys': ['user'],
  'DELETE /api/v1/keys/{id}': ['user'],
  'GET /api/v1/proxy/list': ['proxy', 'user'],
  'GET /api/v1/proxy/random': ['proxy', 'user'],
  'GET /api/v1/proxy/by-operator': ['proxy', 'user'],
  'GET /api/v1/proxy/status': ['read', 'proxy', 'user'],
  'POST /api/v1/proxy/rotate': ['proxy', 'user'],
  'GET /api/v1/rotations': ['read', 'proxy', 'user'],
  'GET /api/v1/rotations/{id}': ['read', 'proxy', 'user'],
  'GET /api/v1/rotations/batches/{id}': ['read', 'proxy', 'user'],
  'GET /api/v1/alerts': ['read', 'proxy', 'user'],
  'GET /api/v1/alerts/{id}': ['read', 'proxy', 'user'],
  'GET /api/v1/alerts/rules': ['read', 'proxy', 'user'],
  // The URL is the credential.
  'GET /api/v1/rotation-links/{secret}': ['nobody', 'read', 'proxy', 'device', 'user'],
  'POST /api/v1/rotation-links/{secret}': ['nobody', 'read', 'proxy', 'device', 'user'],
  'POST /api/v1/usage': ['proxy', 'user'],
  'GET /api/v1/stats/overview': ['read', 'proxy', 'user'],
  'GET /api/v1/stats/devices': ['read', 'proxy', 'user'],
  'GET /api/v1/stats/requests': ['read', 'proxy', 'user'],
  'GET /api/v1/stats/export': ['read', 'proxy', 'user'],
  'GET /api/v1/stats/ips': ['read', 'proxy', 'user'],
  'GET /api/v1/bans': ['proxy', 'user'],
  'POST /api/v1/bans': ['proxy', 'user'],
  'POST /api/v1/agents/enroll': ['nobody', 'read', 'proxy', 'device', 'user'],
  'POST /api/v1/agents/heartbeat': ['device'],
  'GET /api/v1/agents/commands': ['device'],
  'GET /api/v1/agents/tunnel': ['device'],
  'POST /api/v1/agents/commands/{id}': ['device'],
}

let hub: TestHub
let mallory: LoggedInUser
const secrets: Record<Credential, string | undefined> = { nobody: undefined, read: '', proxy: '', device: '', user: '' }
const operations: { method: string; path: string }[] = []
beforeAll(async () => {
  hub = await startHub({ passwordCost: 10, publicStatus: false })
  mallory = await loggedIn(hub, 'mallory')
  secrets.user = mallory.token
  secrets.device = await hub.enrol('seoul-01')
  for (const scope of ['read', 'proxy'] as const)
    secrets[scope] = (await hub.ask('/api/v1/keys', { method: 'POST', key: 'admin', body: { name: scope, scope } })).json.key
  const { paths } = (await hub.ask('/openapi.json')).json as { paths: Record<string, Record<string, unknown>> }
  for (const [path, methods] of Object.entries(paths))
    for (const method of Object.keys(methods)) operations.push({ method: method.toUpperCase(), path })
})
afterAll(() => hub.remove())

test('no operation lets anybody in who is not named for it', async () => {
  expect(operations.length).toBeGreaterThan(30)
  const letIn: string[] = []
  for (const { method, path } of operations)
    for (const [credential, key] of Object.entries(secrets)) {
      const isOpen = OPEN[`${method} ${path}`]?.includes(credential as Credential) ?? false
      if (isOpen) continue
      const { status } = await hub.ask(path.replaceAll(/\{\w+\}/g, randomUUID()), { method, ...(key === undefined ? {} : { key }) })
      const refused = credential === 'nobody' ? status === 401 : status === 403
      if (!refused) letIn.push(`${credential}: ${method} ${path} -> ${status}`)
    }
  expect(letIn).toEqual([])
})

test('every operation that is open to others exists', () => {
  const known = operations.map(({ method, path }) => `${method} ${path}`)
  expect(Object.keys(OPEN).filter((name) => !known.includes(name))).toEqual([])
})

describe('a user', () => {
  test('sees, makes and revokes keys of his own, and learns nothing of others’', async () => {
    const victim = await loggedIn(hub, 'victim')
    const own = await mallory.ask('/api/v1/keys', { method: 'POST', body: { name: 'parser', scope: 'proxy', requests_limit: 100 } })
    expect(own).toMatchObject({ status: 201, json: { user_id: mallory.id, requests_limit: 100 } })
    const others = await victim.ask('/api/v1/keys', { method: 'POST', body: { name: 'secret project', scope: 'read' } })
    const list = await mallory.ask('/api/v1/keys')
    expect(list.json.keys.map(({ id }: { id: string }) => id)).toEqual([own.json.id])
    for (const id of [others.json.id, randomUUID()])
      expect((await mallory.ask(`/api/v1/keys/${id}`, { method: 'DELETE' })).json).toMatchObject({
        code: 'not_found',
        detail: `There is no key ${id}.`,
      })
    expect((await hub.ask('/api/v1/rotations', { key: others.json.key })).status).toBe(200)
    expect((await mallory.ask(`/api/v1/keys/${own.json.id}`, { method: 'DELETE' })).status).toBe(204)
    expect((await hub.ask('/api/v1/proxy/list', { key: own.json.key })).json.detail).toContain('revoked')
  })

  test.each([
    ['an admin key', { scope: 'admin' }],
    ['a device key', { scope: 'device', device: 'seoul-01' }],
    ['a key for another user', { scope: 'proxy', user_id: '0190e7a2-0000-7000-8000-000000000001' }],
    ['a key with a rate limit of his choice', { scope: 'proxy', rate_limit: 1_000_000 }],
  ])('cannot make %s', async (_case, over) => {
    const answer = await mallory.ask('/api/v1/keys', { method: 'POST', body: { name: 'x', ...over } })
    expect(answer).toMatchObject({ status: 403, json: { code: 'forbidden' } })
  })

  test('cannot make a key with a key: a stolen one would outlive its revocation', async () => {
    const { json } = await mallory.ask('/api/v1/keys', { method: 'POST', body: { name: 'parser', scope: 'proxy' } })
    expect((await hub.ask('/api/v1/keys', { method: 'POST', key: json.key, body: { name: 'another', scope: 'proxy' } })).status).toBe(403)
  })
})

test('a key of scope "read" sees states, but no proxy address', async () => {
  await hub.addDevice({ name: 'kazan-02', proxy_url: 'http://u:hunter2@127.0.0.1:9' })
  const status = await hub.ask('/status', { key: secrets.read ?? '' })
  expect(status.text).toContain('kazan-02')
  expect(status.text).not.toContain('127.0.0.1:9')
  expect((await hub.ask('/api/v1/proxy/list', { key: secrets.read ?? '' })).status).toBe(403)
})

test('an expired key is refused with the time it expired at', async () => {
  const soon = new Date(Date.now() + 3_600_000).toISOString()
  const made = await hub.ask('/api/v1/keys', { method: 'POST', key: 'admin', body: { name: 'brief', scope: 'proxy', expires_at: soon } })
  expect((await hub.ask('/api/v1/proxy/list', { key: made.json.key })).status).toBe(200)
  const past = '2020-01-01T00:00:00.000Z'
  expect((await hub.ask(`/api/v1/keys/${made.json.id}`, { method: 'PATCH', key: 'admin', body: { expires_at: past } })).status).toBe(200)
  expect((await hub.ask('/api/v1/proxy/list', { key: made.json.key })).json).toMatchObject({
    code: 'unauthorized',
    detail: expect.stringContaining(past),
  })
  const late = await hub.ask('/api/v1/keys', { method: 'POST', key: 'admin', body: { name: 'late', scope: 'proxy', expires_at: past } })
  expect(late.json.detail).toContain('expires_at')
})
