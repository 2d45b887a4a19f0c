import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { keyRecord } from '../src/auth/key.ts'
import { type AuditEntry, openStore, type Store, type UserRecord } from '../src/store/index.ts'
import { startPostgres, type TestPostgres } from './postgres.ts'

/** initdb in WebAssembly takes 3 s alone, and many times that beside other work. */
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

const T0 = Date.parse('2026-11-22T03:00:00.000Z')
const DAY = 86_400_000

const user = (username: string, over: Partial<UserRecord> = {}): UserRecord => ({
  id: randomUUID(),
  username,
  email: null,
  passwordHash: 'not a hash',
  role: 'user',
  isActive: true,
  requestsLimit: 10_000,
  requestsUsed: 0,
  requestsSince: T0,
  tokenVersion: 1,
  lastLoginAt: null,
  createdAt: T0,
  updatedAt: T0,
  ...over,
})

const entry = (over: Partial<AuditEntry> = {}): AuditEntry => ({
  at: T0,
  actorKind: 'key',
  actorId: randomUUID(),
  actorName: 'a key',
  address: '192.0.2.1',
  action: 'POST /api/v1/keys',
  method: 'POST',
  route: '/api/v1/keys',
  subject: null,
  status: 201,
  fields: ['name', 'scope'],
  requestId: randomUUID(),
  ...over,
})

function contract(open: () => Promise<Store>) {
  let store: Store
  beforeAll(async () => {
    store = await open()
  })
  afterAll(() => store.close())

  test('a user comes back as he was put; names and e-mail addresses are one in either case', async () => {
    const alice = user('Alice', { email: 'alice@example.com', requestsLimit: null, role: 'admin' })
    expect(await store.users.add(alice)).toBe(true)
    expect(await store.users.add(user('alice'))).toBe(false)
    expect(await store.users.add(user('other', { email: 'ALICE@example.com' }))).toBe(false)
    expect(await store.users.all()).toEqual([alice])
    await store.users.loggedIn(alice.id, T0 + 5)
    expect((await store.users.all())[0]?.lastLoginAt).toBe(T0 + 5)
  })

  test('a change that ends sessions does; the last admin stays one', async () => {
    const bob = user('bob')
    await store.users.add(bob)
    const session = {
      id: randomUUID(),
      userId: bob.id,
      tokenHash: 'a'.repeat(64),
      address: '192.0.2.1',
      userAgent: 'x',
      createdAt: T0,
      expiresAt: T0 + DAY,
    }
    await store.sessions.start(session)
    const of = { at: T0 + 1, endSessions: false }
    expect(await store.users.change(bob.id, { email: 'bob@example.com', requestsLimit: 5 }, of)).toMatchObject({
      tokenVersion: 1,
      requestsLimit: 5,
    })
    expect(await store.users.change(bob.id, { passwordHash: 'another' }, { at: T0 + 2, endSessions: true })).toMatchObject({
      tokenVersion: 2,
    })
    expect(await store.sessions.revokedSince(T0)).toEqual([session.id])
    expect(await store.users.change(bob.id, { username: 'ALICE' }, of)).toBe('taken')
    expect(await store.users.change(randomUUID(), { role: 'user' }, of)).toBeNull()
    const [alice] = await store.users.all()
    for (const change of [{ role: 'user' }, { isActive: false }] as const)
      expect(await store.users.change(alice?.id ?? '', change, of)).toBe('last_admin')
    expect(await store.users.remove(alice?.id ?? '')).toBe('last_admin')
    expect(await store.users.remove(bob.id)).toBe('removed')
    expect(await store.users.remove(bob.id)).toBeNull()
  })

  test('a refresh token is traded once; late it counts as stolen, and the session is over', async () => {
    const carol = user('carol')
    await store.users.add(carol)
    const id = randomUUID()
    const hash = (letter: string): string => letter.repeat(64)
    await store.sessions.start({
      id,
      userId: carol.id,
      tokenHash: hash('a'),
      address: null,
      userAgent: null,
      createdAt: T0,
      expiresAt: T0 + DAY,
    })
    const rotate = (from: string, to: string, at: number) =>
      store.sessions.rotate({ id, from: hash(from), to: hash(to), at, idleMs: DAY, maxMs: 3 * DAY, overlapMs: 10_000 })
    expect(await rotate('a', 'b', T0 + 1)).toEqual({ outcome: 'rotated', userId: carol.id })
    expect(await rotate('a', 'c', T0 + 10_000)).toEqual({ outcome: 'overlap', userId: carol.id })
    expect(await rotate('a', 'c', T0 + 10_001)).toEqual({ outcome: 'reused', userId: null })
    expect(await rotate('b', 'c', T0 + 10_002)).toEqual({ outcome: 'gone', userId: null })

    const other = randomUUID()
    await store.sessions.start({
      id: other,
      userId: carol.id,
      tokenHash: hash('d'),
      address: null,
      userAgent: null,
      createdAt: T0,
      expiresAt: T0 + DAY,
    })
    expect(
      (await store.sessions.rotate({ id: other, from: hash('d'), to: hash('e'), at: T0 + DAY, idleMs: DAY, maxMs: DAY, overlapMs: 1 }))
        .outcome,
    ).toBe('gone')
    await store.sessions.prune(T0 + DAY + 1)
    expect(await store.sessions.end(other, 'logged_out', T0)).toBeNull()
  })

  test('a key comes back as it was put, is changed, and its uses go forward only', async () => {
    const [alice] = await store.users.all()
    const userId = alice?.id ?? null
    const given = { userId, expiresAt: T0 + DAY, rateLimit: 5, requestsLimit: 7, createdAt: T0 }
    const key = keyRecord(`mp_${randomUUID()}`, { id: randomUUID(), name: 'a parser', scope: 'read', deviceId: null, ...given })
    await store.keys.add(key)
    expect(await store.keys.byHash(key.hash)).toEqual(key)
    expect(await store.keys.change(key.id, { expiresAt: null, name: 'b', requestsLimit: null })).toEqual({
      ...key,
      expiresAt: null,
      name: 'b',
      requestsLimit: null,
    })
    await store.keys.used([
      { id: key.id, at: T0 + 10, address: '192.0.2.1' },
      { id: randomUUID(), at: T0, address: '2001:db8::1' },
    ])
    await store.keys.used([{ id: key.id, at: T0 + 5, address: '192.0.2.1' }])
    expect((await store.keys.byHash(key.hash))?.lastUsedAt).toBe(T0 + 10)
  })

  test('another process’s change of a key or user is seen, a use or a count is not', async () => {
    const [key] = await store.keys.all()
    const version = await store.credentials.version()
    await store.keys.used([{ id: key?.id ?? '', at: T0 + 20, address: '192.0.2.1' }])
    await store.quotas.count('key', [{ id: key?.id ?? '', requests: 1 }], T0)
    expect(await store.credentials.version()).toBe(version)
    await store.keys.change(key?.id ?? '', { name: 'c' })
    const changed = await store.credentials.version()
    expect(changed).not.toBe(version)
    await store.users.add(user('dave'))
    expect(await store.credentials.version()).not.toBe(changed)
  })

  test('requests are counted in their period, and those of a former one forgotten', async () => {
    const erin = user('erin', { requestsSince: T0 })
    await store.users.add(erin)
    const add = async (requests: number, period: number) =>
      (
        await store.quotas.count(
          'user',
          [
            { id: erin.id, requests },
            { id: randomUUID(), requests: 1 },
          ],
          period,
        )
      )[0]
    expect(await add(3, T0 - DAY)).toEqual({ id: erin.id, used: 3, since: T0 })
    expect(await add(4, T0)).toEqual({ id: erin.id, used: 7, since: T0 })
    expect(await add(2, T0 + DAY)).toEqual({ id: erin.id, used: 2, since: T0 + DAY })
    expect(await store.quotas.limited('user')).toContainEqual({ id: erin.id, used: 2, since: T0 + DAY })
  })

  test('audit entries come back newest first, by each filter, and the oldest are pruned', async () => {
    const actorId = randomUUID()
    await store.audit.add([
      entry({ at: T0 - 10 * DAY }),
      entry({ actorId, subject: 'seoul-01' }),
      entry({ address: '2001:db8::1', status: 403, fields: [] }),
    ])
    await store.audit.add([
      entry({ actorKind: 'cli', action: 'cli create-user', status: null, method: null, route: null, address: null, requestId: null }),
    ])
    const find = async (filter: object) =>
      (await store.audit.newest({ limit: 100, ...filter })).map(({ action, status }) => `${action} ${status}`)
    expect(await find({})).toEqual(['cli create-user null', 'POST /api/v1/keys 403', 'POST /api/v1/keys 201', 'POST /api/v1/keys 201'])
    expect(await find({ actor: actorId })).toHaveLength(1)
    expect(await find({ subject: 'seoul-01' })).toHaveLength(1)
    expect(await find({ action: 'create-user' })).toHaveLength(1)
    expect(await find({ address: '2001:db8::1' })).toHaveLength(1)
    expect(await find({ failed: true })).toEqual(['POST /api/v1/keys 403'])
    expect(await find({ from: T0 })).toHaveLength(3)
    expect(await find({ to: T0 })).toHaveLength(1)
    const [newest] = await store.audit.newest({ limit: 1 })
    expect(await find({ before: newest?.id, limit: 2 })).toHaveLength(2)
    expect(await store.audit.prune(T0)).toBe(false)
    expect(await find({})).toHaveLength(3)
    expect(newest).toMatchObject(
      entry({
        actorKind: 'cli',
        action: 'cli create-user',
        status: null,
        method: null,
        route: null,
        address: null,
        actorId: newest?.actorId ?? null,
        requestId: null,
      }),
    )
  })

  test('a block is kept until it is past, in the place of the former one', async () => {
    const block = { address: '192.0.2.1', reason: 'why', times: 1, createdAt: T0, until: T0 + 5, liftedAt: null }
    await store.blocks.put(block)
    await store.blocks.put({ ...block, times: 2, until: T0 + 10, liftedAt: T0 + 7 })
    expect(await store.blocks.since(T0)).toEqual([{ ...block, times: 2, until: T0 + 10, liftedAt: T0 + 7 }])
    await store.blocks.prune(T0 + 11)
    expect(await store.blocks.since(0)).toEqual([])
  })

  test('settings keep their kind of value, and are told from the hub’s own notes', async () => {
    await store.pulse.beat(T0)
    const set = (value: unknown) => ({ value, type: 'json', description: 'of the test' })
    await store.settings.put(
      new Map([
        ['A', set(['x', 'y'])],
        ['B', set(5)],
        ['C', set(true)],
      ]),
    )
    await store.settings.put(
      new Map([
        ['B', set(6)],
        ['C', null],
      ]),
    )
    expect(new Map((await store.settings.all()).map(({ name, value }) => [name, value]))).toEqual(
      new Map<string, unknown>([
        ['A', ['x', 'y']],
        ['B', 6],
      ]),
    )
  })
}

let postgres: TestPostgres
let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'mobilepool-accounts-'))
  postgres = await startPostgres()
})
afterAll(async () => {
  await postgres.close()
  await rm(dir, { recursive: true })
})

const options = { databasePoolSize: 4, secretKey: 'a secret key of the tests' }
describe('on Postgres', () =>
  contract(async () => openStore({ ...options, dataDir: dir, databaseUrl: await postgres.createDatabase('accounts') })))
describe('on PGlite', () => contract(() => openStore({ ...options, dataDir: dir, databaseUrl: null })))
