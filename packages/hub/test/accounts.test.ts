import { loginReply, meReply, user as userSchema } from '@mobilepool/sdk/contract'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EventReader } from './event-reader.ts'
import { startHub, type TestHub } from './hub.ts'
import { cookieOf, loggedIn, login, makeUser } from './logged-in.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await startHub({ passwordCost: 10, trustProxy: ['127.0.0.9'] })
})
afterAll(() => hub.remove())

const refresh = (cookie: string, headers: Record<string, string> = {}) =>
  hub.ask('/api/v1/auth/refresh', { method: 'POST', headers: { cookie, ...headers } })
const logout = (cookie: string) => hub.ask('/api/v1/auth/logout', { method: 'POST', headers: { cookie } })
const patch = (id: string, body: unknown) => hub.ask(`/api/v1/users/${id}`, { method: 'PATCH', key: 'admin', body })
const me = (key: string) => hub.ask('/api/v1/auth/me', { key })

describe('a login', () => {
  test('gives an access token, and a cookie that only the hub’s auth paths and no script get', async () => {
    await makeUser(hub, 'alice')
    const answer = await login(hub, 'ALICE', 'alice and ten more')
    expect(loginReply.parse(answer.json)).toMatchObject({
      expires_in: 600,
      user: { username: 'alice', role: 'user', requests_limit: 10_000 },
    })
    expect(answer.headers['cache-control']).toBe('no-store')
    const [set = ''] = answer.headers['set-cookie'] ?? []
    for (const part of ['HttpOnly', 'SameSite=Strict', 'Path=/api/v1/auth', 'Max-Age=2592000']) expect(set).toContain(part)
    expect(set).not.toContain('Secure')
    expect(meReply.parse((await me(answer.json.access_token)).json)).toMatchObject({
      scope: 'proxy',
      user: { username: 'alice' },
      key: null,
    })
    expect(hub.log()).not.toContain('alice and ten more')
    expect(hub.log()).not.toContain(answer.json.access_token)
  })

  test('behind a trusted https proxy gets a Secure cookie, and a forged header makes none', async () => {
    await makeUser(hub, 'secure')
    const over = { headers: { 'x-forwarded-proto': 'https', 'x-forwarded-for': '192.0.2.77' } }
    const cookie = async (from: string) => (await login(hub, 'secure', 'secure and ten more', { ...over, from })).headers['set-cookie']?.[0]
    expect(await cookie('127.0.0.9')).toContain('Secure')
    expect(await cookie('127.0.0.1')).not.toContain('Secure')
  })

  test('with a wrong password, an unknown name or of a deactivated user gets one and the same answer', async () => {
    const { id } = await makeUser(hub, 'frozen')
    await patch(id, { is_active: false })
    const answers = [
      await login(hub, 'alice', 'wrong and ten more', { from: '127.1.0.1' }),
      await login(hub, 'nobody', 'wrong and ten more', { from: '127.1.0.2' }),
      await login(hub, 'frozen', 'frozen and ten more', { from: '127.1.0.3' }),
    ].map(({ status, json, headers }) => ({ status, json: { ...json, instance: null }, cookie: headers['set-cookie'] }))
    expect(answers[0]).toMatchObject({ status: 401, json: { code: 'login_failed' }, cookie: undefined })
    expect(answers[1]).toEqual(answers[0])
    expect(answers[2]).toEqual(answers[0])
  })

  test('is slowed down after five wrong passwords of one address, and for that address only', async () => {
    await makeUser(hub, 'locked')
    const from = '127.1.0.4'
    for (let n = 0; n < 5; n++) expect((await login(hub, 'locked', 'wrong and ten more', { from })).status).toBe(401)
    const answer = await login(hub, 'locked', 'locked and ten more', { from })
    expect(answer).toMatchObject({ status: 429, json: { code: 'too_many_requests' } })
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(20)
    expect((await login(hub, 'locked', 'locked and ten more', { from: '127.1.0.5' })).status).toBe(200)
  })

  test('from another site’s page is refused', async () => {
    for (const headers of [{ origin: 'https://evil.example' }, { 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }])
      expect((await login(hub, 'alice', 'alice and ten more', { headers })).json).toMatchObject({ code: 'forbidden' })
    const own = { origin: hub.url, 'sec-fetch-site': 'same-origin' }
    expect((await login(hub, 'alice', 'alice and ten more', { headers: own })).status).toBe(200)
  })
})

describe('a refresh', () => {
  test('trades the cookie for the next one and a new access token', async () => {
    const bob = await loggedIn(hub, 'bob')
    const second = await refresh(bob.cookie)
    expect(loginReply.parse(second.json).user.username).toBe('bob')
    expect(cookieOf(second)).not.toBe(bob.cookie)
    expect((await refresh(cookieOf(second))).status).toBe(200)
    expect((await refresh('')).json).toMatchObject({ code: 'unauthorized' })
    expect((await refresh('mobilepool_refresh=made-up')).json).toMatchObject({ code: 'unauthorized' })
  })

  test('by two tabs at once works for both, and leaves one cookie', async () => {
    const tabs = await loggedIn(hub, 'tabs')
    const answers = await Promise.all([refresh(tabs.cookie), refresh(tabs.cookie)])
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    expect(answers.map(cookieOf).filter((cookie) => cookie !== '')).toHaveLength(1)
  })

  test('with a cookie that was used before ends the whole login: its holder, its thief and their access tokens', async () => {
    const victim = await loggedIn(hub, 'victim')
    const second = await refresh(victim.cookie)
    const third = await refresh(cookieOf(second))
    // The first cookie is two generations old.
    const replayed = await refresh(victim.cookie)
    expect(replayed).toMatchObject({ status: 401, json: { detail: expect.stringContaining('used twice') } })
    expect(replayed.headers['set-cookie']?.[0]).toContain('Expires=Thu, 01 Jan 1970')
    expect((await refresh(cookieOf(third))).status).toBe(401)
    expect((await me(third.json.access_token)).status).toBe(401)
    expect((await login(hub, 'victim', victim.password)).status).toBe(200)
  })
})

describe('a login ends', () => {
  test('at logout: cookie, access token and event stream at once', async () => {
    const carol = await loggedIn(hub, 'carol')
    const stream = new EventReader(`${hub.url}/api/v1/events`, { headers: { authorization: `Bearer ${carol.token}` } })
    await stream.opened
    expect((await logout(carol.cookie)).status).toBe(204)
    await stream.ended
    expect((await me(carol.token)).json).toMatchObject({ code: 'unauthorized', detail: expect.stringContaining('revoked') })
    expect((await refresh(carol.cookie)).status).toBe(401)
    const second = await login(hub, 'carol', carol.password)
    await hub.ask('/api/v1/auth/logout', { method: 'POST', key: second.json.access_token })
    expect((await refresh(cookieOf(second))).status).toBe(401)
  })

  test('at a new password, everywhere but where it was changed', async () => {
    const dave = await loggedIn(hub, 'dave')
    const elsewhere = await login(hub, 'dave', dave.password)
    const change = (current: string, next: string) =>
      dave.ask('/api/v1/auth/password', { method: 'POST', body: { current_password: current, new_password: next } })
    expect((await change('wrong', 'another ten letters')).json).toMatchObject({ code: 'forbidden' })
    expect((await change(dave.password, 'short')).json.errors[0]).toMatchObject({ field: 'new_password' })
    const changed = await change(dave.password, 'another ten letters')
    expect(loginReply.parse(changed.json).user.username).toBe('dave')
    for (const token of [dave.token, elsewhere.json.access_token]) expect((await me(token)).status).toBe(401)
    for (const cookie of [dave.cookie, cookieOf(elsewhere)]) expect((await refresh(cookie)).status).toBe(401)
    expect((await me(changed.json.access_token)).status).toBe(200)
    expect((await refresh(cookieOf(changed))).status).toBe(200)
    expect((await login(hub, 'dave', dave.password, { from: '127.1.0.6' })).status).toBe(401)
  })

  test('at deactivation and at a new role; keys of a deactivated user stop, too', async () => {
    await makeUser(hub, 'other-admin', { role: 'admin' })
    const erin = await loggedIn(hub, 'erin')
    const made = await erin.ask('/api/v1/keys', { method: 'POST', body: { name: 'parser', scope: 'proxy' } })
    expect((await hub.ask('/api/v1/proxy/list', { key: made.json.key })).status).toBe(200)
    await patch(erin.id, { role: 'admin' })
    expect((await me(erin.token)).status).toBe(401)
    const admin = await login(hub, 'erin', erin.password)
    expect((await me(admin.json.access_token)).json.scope).toBe('admin')
    const adminKey = await hub.ask('/api/v1/keys', {
      method: 'POST',
      key: admin.json.access_token,
      body: { name: 'all', scope: 'admin' },
    })
    await patch(erin.id, { role: 'user' })
    expect((await hub.ask('/api/v1/users', { key: adminKey.json.key })).json.detail).toContain('no admin any more')
    await patch(erin.id, { is_active: false })
    expect((await hub.ask('/api/v1/proxy/list', { key: made.json.key })).json.detail).toContain('deactivated')
    await patch(erin.id, { is_active: true })
    expect((await hub.ask('/api/v1/proxy/list', { key: made.json.key })).status).toBe(200)
  })
})

describe('users', () => {
  test('are made, changed and removed by admins; nobody sees a hash', async () => {
    const made = await makeUser(hub, 'frank', { email: 'frank@example.com', role: 'admin' })
    expect(userSchema.parse(made)).toMatchObject({ role: 'admin', requests_limit: null, requests_used: 0, is_active: true })
    expect(
      (await hub.ask('/api/v1/users', { method: 'POST', key: 'admin', body: { username: 'FRANK', password: '0123456789' } })).json,
    ).toMatchObject({ code: 'user_exists' })
    expect((await patch(made.id, { username: 'alice' })).json).toMatchObject({ code: 'user_exists' })
    expect((await patch(made.id, { username: 'francis', role: 'user', requests_limit: 5 })).json).toMatchObject({
      username: 'francis',
      role: 'user',
      requests_limit: 5,
      email: 'frank@example.com',
    })
    expect((await patch(made.id, {})).json).toMatchObject({ code: 'bad_request' })
    const list = await hub.ask('/api/v1/users', { key: 'admin' })
    expect(list.text).not.toMatch(/\$2b\$|password/)
    expect((await hub.ask(`/api/v1/users/${made.id}`, { method: 'DELETE', key: 'admin' })).status).toBe(204)
    expect((await hub.ask(`/api/v1/users/${made.id}`, { key: 'admin' })).json).toMatchObject({ code: 'not_found' })
  })

  test.each([
    ['a password that is too short', { password: 'short' }, 'password'],
    ['a password that bcrypt would cut', { password: 'ф'.repeat(37) }, 'password'],
    ['a name with a space', { username: 'a b' }, 'username'],
    ['a role that does not exist', { role: 'root' }, 'role'],
    ['no e-mail address', { email: 'nowhere' }, 'email'],
    ['a field that does not exist', { admin: true }, ''],
  ])('%s is refused by name', async (_case, over, field) => {
    const body = { username: 'grace', password: 'grace and ten more', ...over }
    const answer = await hub.ask('/api/v1/users', { method: 'POST', key: 'admin', body })
    expect(answer).toMatchObject({ status: 400, json: { code: 'bad_request' } })
    expect(answer.text).toContain(field)
  })

  test('the last admin cannot be removed, demoted or deactivated, not even by two at once', async () => {
    const alone = await startHub({ passwordCost: 10 })
    const ann = await loggedIn(alone, 'ann', { role: 'admin' })
    const ben = await loggedIn(alone, 'ben', { role: 'admin' })
    const demote = (by: typeof ann, whom: typeof ann) => by.ask(`/api/v1/users/${whom.id}`, { method: 'PATCH', body: { role: 'user' } })
    const both = (await Promise.all([demote(ann, ben), demote(ben, ann)])).map(({ status }) => status)
    expect(both.toSorted()[0]).toBe(200)
    const admins = (await alone.ask('/api/v1/users', { key: 'admin' })).json.users.filter(({ role }: { role: string }) => role === 'admin')
    expect(admins).toHaveLength(1)
    const last = `/api/v1/users/${admins[0].id}`
    for (const body of [{ role: 'user' }, { is_active: false }])
      expect((await alone.ask(last, { method: 'PATCH', key: 'admin', body })).json).toMatchObject({ code: 'last_admin' })
    expect((await alone.ask(last, { method: 'DELETE', key: 'admin' })).json).toMatchObject({ status: 409, code: 'last_admin' })
    const again = await alone.restart()
    expect((await login(again, admins[0].username, `${admins[0].username} and ten more`)).status).toBe(200)
    await again.remove()
  })
})
