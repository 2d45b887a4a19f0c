import { type AuditEntryJson, auditPage } from '@mobilepool/sdk/contract'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startHub, type TestHub } from './hub.ts'
import { loggedIn, login, makeUser } from './logged-in.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await startHub({ passwordCost: 10 })
})
afterAll(() => hub.remove())

const audit = async (query = ''): Promise<AuditEntryJson[]> =>
  auditPage.parse((await hub.ask(`/api/v1/audit?${query}`, { key: 'admin' })).json).entries
const newest = async (query = ''): Promise<AuditEntryJson | undefined> => (await audit(query))[0]

describe('the audit log', () => {
  test('has each change: who, from where, what, to what, which fields, and how it ended', async () => {
    const alice = await loggedIn(hub, 'alice', { role: 'admin' })
    const device = await alice.ask('/api/v1/admin/devices', {
      method: 'POST',
      from: '127.5.0.1',
      body: { name: 'seoul-01', proxy_url: 'http://u:hunter2@127.0.0.1:9', tags: ['x'] },
    })
    // Written before the answer: no waiting here.
    expect(await newest()).toMatchObject({
      actor: { kind: 'user', id: alice.id, name: 'alice' },
      address: '127.5.0.1',
      action: 'POST /api/v1/admin/devices',
      subject: device.json.id,
      status: 201,
      fields: ['name', 'proxy_url', 'tags'],
      request_id: device.headers['x-request-id'],
    })
    await hub.ask('/api/v1/admin/devices/seoul-01', { method: 'PATCH', key: 'admin', body: { weight: 2 } })
    expect(await newest()).toMatchObject({
      actor: { kind: 'key', name: 'MOBILEPOOL_ADMIN_KEY' },
      subject: device.json.id,
      fields: ['weight'],
    })
    await hub.ask('/api/v1/admin/devices/nowhere', { method: 'DELETE', key: 'admin' })
    expect(await newest()).toMatchObject({ action: 'DELETE /api/v1/admin/devices/:id', subject: 'nowhere', status: 404, fields: [] })
    await hub.ask('/api/v1/admin/devices', { method: 'POST', body: { name: 'x' } })
    expect(await newest()).toMatchObject({ actor: { kind: 'anonymous', id: null, name: null }, status: 401 })
    expect(JSON.stringify(await audit())).not.toMatch(/hunter2|ten more/)
  })

  test('has logins, those that fail too, but no name that might be a password', async () => {
    const { id } = await makeUser(hub, 'bob')
    await login(hub, 'BOB', 'bob and ten more')
    expect(await newest()).toMatchObject({
      action: 'POST /api/v1/auth/login',
      actor: { kind: 'user', id, name: 'bob' },
      subject: 'bob',
      status: 200,
    })
    await login(hub, 'bob', 'wrong and ten more')
    expect(await newest()).toMatchObject({ actor: { kind: 'anonymous' }, subject: 'bob', status: 401 })
    await login(hub, 'correct horse battery', 'bob')
    expect(await newest()).toMatchObject({ actor: { kind: 'anonymous' }, subject: null, status: 401 })
  })

  test('leaves out what machines report, and reads', async () => {
    const before = (await audit()).length
    const key = await hub.enrol('busan-03')
    const enrolled = (await audit()).length
    expect(enrolled).toBe(before + 2)
    await hub.ask('/api/v1/agents/heartbeat', {
      method: 'POST',
      key,
      body: { agent_version: '1', proxy_url: 'http://127.0.0.1:8080', methods: [] },
    })
    await hub.ask('/api/v1/usage', { method: 'POST', key: 'admin', body: {} })
    await hub.ask('/api/v1/users', { key: 'admin' })
    expect((await audit()).length).toBe(enrolled)
  })

  test('of a flood of refused requests keeps sixty a minute', async () => {
    const from = '127.5.0.9'
    for (let n = 0; n < 70; n++) await hub.ask('/api/v1/users', { method: 'POST', from })
    const kept = (await audit(`address=${from}&limit=500`)).length
    // One a second comes back.
    expect(kept).toBeGreaterThanOrEqual(60)
    expect(kept).toBeLessThan(70)
  })

  test('is filtered and paged', async () => {
    const bob = (await hub.ask('/api/v1/users', { key: 'admin' })).json.users.find(
      ({ username }: { username: string }) => username === 'bob',
    )
    expect((await audit(`actor=${bob.id}`)).map(({ action }) => action)).toEqual(['POST /api/v1/auth/login'])
    expect((await audit(`subject=${bob.id}`)).map(({ action }) => action)).toEqual(['POST /api/v1/users'])
    expect((await audit('action=auth/login&failed=true')).every(({ status }) => status === 401)).toBe(true)
    expect(await audit('from=2100-01-01T00:00:00.000Z')).toEqual([])
    expect(await audit('to=2020-01-01T00:00:00.000Z')).toEqual([])
    const all = await audit('limit=500')
    const pages: AuditEntryJson[] = []
    let after: number | null = null
    do {
      const page = auditPage.parse(
        (await hub.ask(`/api/v1/audit?limit=7${after === null ? '' : `&after=${after}`}`, { key: 'admin' })).json,
      )
      pages.push(...page.entries)
      after = page.next
    } while (after !== null)
    expect(pages).toEqual(all)
    expect(
      (await hub.ask('/api/v1/audit?limit=0&actor=me', { key: 'admin' })).json.errors.map(({ field }: { field: string }) => field),
    ).toEqual(['actor', 'limit'])
  })
})
