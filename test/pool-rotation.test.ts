import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHub, type Hub } from '@mobilepool/hub'
import { MobilePool, type RotationResult } from '@mobilepool/sdk'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { type MobileBox, type OnCall, startBox } from '../packages/hub/test/mobile-box.ts'
import { type Origin, startOrigin } from '../packages/sdk/test/servers/origin.ts'

/** Rotations of several attempts, and addresses that are burnt already, as pools of a real hub meet them. */
vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 })
const patience = { timeout: 30_000, interval: 20 }
const adminKey = 'mp_pool-rotation-admin-key-0123456789'
let folder: string
let hub: Hub
let site: Origin
const closing: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mp-pool-rotation-'))
  hub = await createHub({
    port: 0,
    dataDir: folder,
    adminKey,
    logLevel: 'silent',
    rotationDrainMs: 50,
    rotationTimeoutMs: 2_000,
    rotationRetryDelayMs: 1_500,
    rotationMinIntervalMs: 0,
  })
  site = await startOrigin()
})
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
  site.seen.length = 0
})
afterAll(async () => {
  await hub.close()
  await site.close()
  await rm(folder, { recursive: true, force: true })
})

async function asAdmin(method: string, path: string, body?: unknown): Promise<unknown> {
  const headers = { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' }
  const reply = await fetch(hub.url + path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${await reply.text()}`)
  return reply.status === 204 ? null : reply.json()
}

/** A bare device of the hub, online, whose link does what it is told. */
async function boxed(name: string, exit: string, onCall: OnCall): Promise<MobileBox> {
  const box = await startBox(exit, onCall)
  await once(get(`${hub.url}/proxy_server?name=${name}`, { localAddress: exit }), 'response')
  await asAdmin('POST', '/api/v1/admin/devices', { name, proxy_url: box.proxyUrl, rotation_url: box.link, auto_rotation: false })
  closing.push(async () => {
    await asAdmin('DELETE', `/api/v1/admin/devices/${name}`)
    await box.close()
  })
  return box
}

async function poolOf(options: Record<string, unknown>, ready = 1): Promise<MobilePool> {
  const pool = new MobilePool({ hub: { url: hub.url, token: adminKey }, ...options })
  closing.push(() => pool.close())
  await vi.waitFor(() => expect(pool.stats().ready).toBe(ready), patience)
  return pool
}

const seenBy = async (pool: MobilePool): Promise<string> =>
  ((await (await pool.fetch(`${site.url}/`)).json()) as { remoteAddress: string }).remoteAddress

test('a rotation of several attempts drains for each, serves in between, and is over once, with the last one’s outcome', async () => {
  const box = await boxed('busan-03', '127.20.3.1', (self, reply) => {
    // The first call changes nothing; only the second one works.
    if (self.calls.length > 1) self.exit = '127.20.3.2'
    reply.end('{"ok":1}')
  })
  const pool = await poolOf({})
  const told: string[] = []
  const ends: RotationResult[] = []
  pool.on('rotationStart', () => told.push('start'))
  pool.on('rotationEnd', (result: RotationResult) => {
    told.push('end')
    ends.push(result)
  })
  const rotating = pool.rotate('busan-03')
  await vi.waitFor(() => expect(box.calls).toHaveLength(1), patience)
  // Asked in the first attempt or in the pause after it, it is answered before the second begins.
  expect(await seenBy(pool)).toBe('127.20.3.1')
  expect(ends).toEqual([])
  expect(box.calls).toHaveLength(1)

  expect(await rotating).toMatchObject({ outcome: 'changed', oldIp: '127.20.3.1', newIp: '127.20.3.2' })
  expect(await seenBy(pool)).toBe('127.20.3.2')
  expect(box.calls).toHaveLength(2)
  // A start for each time that it drains, one end.
  expect(told).toEqual(['start', 'start', 'end'])
  expect(ends).toHaveLength(1)
})

test('in a fleet of one, a request waits for an address that the site has not banned, and never meets it with one that another pool found burnt', async () => {
  const exits = ['127.20.5.2', '127.20.5.3']
  const box = await boxed('omsk-05', '127.20.5.1', (self, reply) => {
    self.exit = exits[self.calls.length - 1] ?? self.exit
    reply.end('{"ok":1}')
  })
  site.ban('127.20.5.1')
  site.ban('127.20.5.2')
  const host = new URL(site.url).hostname
  await asAdmin('POST', '/api/v1/bans', {
    reporter: '0190e7a2-0000-7000-8000-0000000000aa',
    bans: [{ exit_ip: '127.20.5.2', site: host, lasts_ms: 600_000 }],
  })
  const pool = await poolOf({ rotate: { onBan: { count: 1 }, minSiteIntervalMs: 0 }, queue: { timeoutMs: 30_000 }, retry: { attempts: 3 } })
  const ended: RotationResult[] = []
  pool.on('rotationEnd', (result: RotationResult) => ended.push(result))

  const answer = await pool.fetch(`${site.url}/`)
  expect(answer.status).toBe(200)
  expect(await answer.json()).toMatchObject({ remoteAddress: '127.20.5.3' })
  expect(ended.map(({ newIp }) => newIp)).toEqual(exits)
  expect(site.seen.map(({ remoteAddress }) => remoteAddress)).toEqual(['127.20.5.1', '127.20.5.3'])
  expect(box.calls).toHaveLength(2)
})

test('in a fleet of three, all banned as other pools told the hub, a request says until when; a lifted ban lets the next one through', async () => {
  const exits = ['127.20.7.1', '127.20.7.2', '127.20.7.3']
  for (const [index, exit] of exits.entries()) await boxed(`perm-0${index}`, exit, (_self, reply) => reply.end('{"ok":1}'))
  const tell = (exit_ip: string, lasts_ms: number): Promise<unknown> =>
    asAdmin('POST', '/api/v1/bans', {
      reporter: '0190e7a2-0000-7000-8000-0000000000aa',
      bans: [{ exit_ip, site: new URL(site.url).hostname, lasts_ms }],
    })
  const before = Date.now()
  for (const [index, exit] of exits.entries()) await tell(exit, 600_000 + index * 60_000)
  const pool = await poolOf({}, 3)
  await vi.waitFor(async () => {
    const refused = await pool.fetch(`${site.url}/`).then(
      async (answer) => ({ answered: await answer.text() }),
      (error: unknown) => error,
    )
    expect(refused).toMatchObject({ code: 'MP_ALL_BANNED', until: expect.any(Number) })
    // The soonest of the three.
    const { until } = refused as { until: number }
    expect(until).toBeGreaterThan(before + 590_000)
    expect(until).toBeLessThan(before + 650_000)
  }, patience)

  await tell('127.20.7.2', 0)
  await vi.waitFor(async () => expect(await seenBy(pool)).toBe('127.20.7.2'), patience)
})
