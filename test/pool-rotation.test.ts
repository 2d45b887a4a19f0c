import { mkdtemp, rm } from 'node:fs/promises'
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
  await fetch(`${hub.url}/proxy_server?name=${name}`)
  await asAdmin('POST', '/api/v1/admin/devices', { name, proxy_url: box.proxyUrl, rotation_url: box.link, auto_rotation: false })
  closing.push(async () => {
    await asAdmin('DELETE', `/api/v1/admin/devices/${name}`)
    await box.close()
  })
  return box
}

async function poolOf(options: Record<string, unknown>): Promise<MobilePool> {
  const pool = new MobilePool({ hub: { url: hub.url, token: adminKey }, ...options })
  closing.push(() => pool.close())
  await vi.waitFor(() => expect(pool.stats().ready).toBe(1), patience)
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
  // Asked in the middle of the first attempt, it is answered in the pause before the second: not after both.
  expect(await seenBy(pool)).toBe('127.20.3.1')
  expect(ends).toEqual([])
  expect(box.calls).toHaveLength(1)

  expect(await rotating).toMatchObject({ outcome: 'changed', oldIp: '127.20.3.1', newIp: '127.20.3.2' })
  expect(await seenBy(pool)).toBe('127.20.3.2')
  expect(box.calls).toHaveLength(2)
  expect(ends).toHaveLength(1)
  expect(told.filter((what) => what === 'end')).toHaveLength(1)
  expect(told.at(-1)).toBe('end')
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
  // The ban is the answer where no other address is to be had yet; the rotation that it asked for goes on.
  if (answer.status === 403) await answer.arrayBuffer()
  await vi.waitFor(() => expect(ended.map(({ newIp }) => newIp)).toEqual(exits), patience)
  expect(await seenBy(pool)).toBe('127.20.5.3')
  expect(site.seen.filter(({ remoteAddress }) => remoteAddress === '127.20.5.2')).toEqual([])
  expect(box.calls).toHaveLength(2)
})
