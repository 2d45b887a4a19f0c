import { describe, expect, it } from 'vitest'
import { createSession, type SessionUser } from './session.ts'

const BASE = 'http://hub.test:3001/'

/** A hub's `auth/*` by hand: each request waits until the test answers it. */
function start(kept: Record<string, string> = {}) {
  const stored = new Map(Object.entries(kept))
  const users: (SessionUser | null)[] = []
  const asked: { path: string; answer: (status: number, body?: unknown) => void; fail: () => void }[] = []
  let now = 0
  const session = createSession(BASE, {
    fetch: (url) =>
      new Promise((resolve, reject) => {
        asked.push({
          path: new URL(String(url)).pathname,
          answer: (status, body) => resolve(new Response(body === undefined ? null : JSON.stringify(body), { status })),
          fail: () => reject(new TypeError('failed')),
        })
      }),
    storage: () => ({
      getItem: (slot) => stored.get(slot) ?? null,
      setItem: (slot, value) => void stored.set(slot, value),
      removeItem: (slot) => void stored.delete(slot),
    }),
    changed: (user) => users.push(user),
    now: () => now,
  })
  return { session, stored, users, asked, pass: (ms: number) => (now += ms) }
}

const reply = (token: string) => ({
  access_token: token,
  token_type: 'Bearer',
  expires_in: 600,
  user: { username: 'ivan', role: 'admin', is_active: true },
})
const MARK = { [`mobilepool:login:${BASE}`]: '1' }

async function loggedIn() {
  const world = start()
  const login = world.session.logIn('ivan', 'secret')
  world.asked[0]?.answer(200, reply('first'))
  expect(await login).toBeNull()
  return world
}

describe('a login', () => {
  it('asks for nothing where nobody has logged in', async () => {
    const { session, asked } = start()
    expect(await session.token()).toBeNull()
    expect(asked).toEqual([])
  })

  it('keeps the token in memory: storage holds a mark and no secret', async () => {
    const { session, stored, users } = await loggedIn()
    expect(await session.token()).toBe('first')
    expect(Object.fromEntries(stored)).toEqual(MARK)
    expect(users).toEqual([{ username: 'ivan', isAdmin: true }])
  })

  it('is taken up again by the cookie after a reload, with one question however many ask', async () => {
    const { session, asked } = start(MARK)
    const tokens = Promise.all([session.token(), session.token(), session.token()])
    expect(asked.map(({ path }) => path)).toEqual(['/api/v1/auth/refresh'])
    asked[0]?.answer(200, reply('second'))
    expect(await tokens).toEqual(['second', 'second', 'second'])
  })

  it('renews the token half a minute before its end, not sooner', async () => {
    const { session, asked, pass } = await loggedIn()
    pass(569_000)
    expect(await session.token()).toBe('first')
    pass(1_000)
    const token = session.token()
    asked[1]?.answer(200, reply('second'))
    expect(await token).toBe('second')
  })

  it('gives what is newer than a refused token without asking, and asks when there is nothing newer', async () => {
    const { session, asked } = await loggedIn()
    expect(await session.renew('older')).toBe('first')
    const renewed = session.renew('first')
    asked[1]?.answer(200, reply('second'))
    expect(await renewed).toBe('second')
  })

  it('ends when the hub no longer takes the cookie', async () => {
    const { session, asked, stored, users } = await loggedIn()
    const renewed = session.renew('first')
    asked[1]?.answer(401)
    expect(await renewed).toBeNull()
    expect([...stored]).toEqual([])
    expect(users.at(-1)).toBeNull()
    expect(await session.token()).toBeNull()
  })

  it.each([429, 500, 503])('outlasts a hub that cannot answer for now (%d)', async (status) => {
    const { session, asked, stored } = await loggedIn()
    const renewed = session.renew('first')
    asked[1]?.answer(status)
    await expect(renewed).rejects.toThrow(String(status))
    expect(Object.fromEntries(stored)).toEqual(MARK)
  })

  it('outlasts a network that is down', async () => {
    const { session, asked, stored } = start(MARK)
    const token = session.token()
    asked[0]?.fail()
    await expect(token).rejects.toThrow()
    expect(Object.fromEntries(stored)).toEqual(MARK)
    const again = session.token()
    asked[1]?.answer(200, reply('second'))
    expect(await again).toBe('second')
  })

  it('that ends while its token is being renewed stays ended', async () => {
    const { session, asked, users } = await loggedIn()
    const renewed = session.renew('first')
    const out = session.logOut()
    asked[1]?.answer(200, reply('second'))
    asked[2]?.answer(204)
    expect(await renewed).toBeNull()
    await out
    expect(await session.token()).toBeNull()
    expect(users.at(-1)).toBeNull()
  })

  it.each([
    [401, undefined, { kind: 'wrong' }],
    [429, { detail: 'Wait 30 s.' }, { kind: 'refused', status: 429, detail: 'Wait 30 s.' }],
    [200, { hello: 1 }, { kind: 'unreachable' }],
  ])('is refused: %d %j', async (status, body, problem) => {
    const { session, asked } = start()
    const login = session.logIn('ivan', 'secret')
    asked[0]?.answer(status, body)
    expect(await login).toEqual(problem)
    expect(await session.token()).toBeNull()
  })
})
