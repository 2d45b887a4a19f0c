import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pageFolder } from '../src/api/page.ts'
import { createHub } from '../src/index.ts'
import { databaseThread, pglitePool } from '../src/store/pglite.ts'
import { scriptedAgent } from './agent.ts'
import { EventReader } from './event-reader.ts'
import { startHub, type TestHub } from './hub.ts'

/** What keeps this process alive, by kind; the test runner itself holds some. */
function holding(): Map<string, number> {
  const counts = new Map<string, number>()
  for (const kind of process.getActiveResourcesInfo())
    if (/TCP|Timeout|Worker|MessagePort|Pipe/.test(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  return counts
}

/** Waits until nothing more is held than before (sockets close a little after their requests). */
async function expectNoMoreThan(before: Map<string, number>): Promise<void> {
  const extra = () => [...holding()].filter(([kind, count]) => count > (before.get(kind) ?? 0))
  for (let tries = 0; tries < 200 && extra().length > 0; tries++) await delay(50)
  expect(extra()).toEqual([])
}

describe('a hub in this process', () => {
  test('leaves no socket, timer, thread or lock behind when it is closed', async () => {
    const before = holding()
    const hub = await startHub()
    const agent = await scriptedAgent(hub, 'busan-03')
    await agent.beat('127.10.3.1')
    await hub.ask('/api/v1/admin/devices/busan-03/rotate', { method: 'POST', key: 'admin' })
    const stream = new EventReader(`${hub.url}/api/v1/events`)
    await stream.opened
    const poll = agent.order(60)
    await hub.ask('/proxy_server?name=seoul-01')
    await hub.remove()
    await stream.ended
    await poll
    await expectNoMoreThan(before)
  })

  test('leaves nothing behind when it cannot start', async () => {
    const taken = await startHub()
    const before = holding()
    await expect(startHub({ port: taken.port })).rejects.toMatchObject({ code: 'port_in_use' })
    await expectNoMoreThan(before)
    await taken.remove()
  })

  test('names every option that is not valid', async () => {
    await expect(createHub({ port: -1, maxDevices: 0 })).rejects.toMatchObject({
      code: 'config_invalid',
      message: expect.stringMatching(/port: .*\n.*maxDevices: /),
    })
  })

  test('with the embedded database frees its folder', async () => {
    const hub = await startHub({ databaseUrl: null })
    await hub.ask('/proxy_server?name=seoul-01')
    expect(await readdir(hub.dataDir)).toContain('hub.lock')
    await hub.close()
    expect(await readdir(hub.dataDir)).not.toContain('hub.lock')
    await hub.remove()
  }, 240_000)
})

test('the embedded database’s thread is started again when it has died', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'mobilepool-pglite-'))
  const threads: Worker[] = []
  const pool = pglitePool(join(dir, 'db'), (of) => {
    const thread = databaseThread(of)
    threads.push(thread)
    return thread
  })
  const one = async (sql: string): Promise<unknown> => {
    const client = await pool.connect()
    try {
      return (await client.query<Record<string, unknown>>(sql, [])).rows[0]
    } finally {
      client.release()
    }
  }
  await one('create table kept (n integer)')
  await one('insert into kept values (7)')
  const asked = one('select pg_sleep(30)')
  await threads[0]?.terminate()
  await expect(asked).rejects.toMatchObject({ code: 'database_down' })
  expect(await one('select n from kept')).toEqual({ n: 7 })
  expect(threads).toHaveLength(2)

  // In the middle of a transaction: its owner hears of it at once and does not hold up the others.
  const owner = await pool.connect()
  await owner.query('begin', [])
  const cut = owner.query('insert into kept select pg_sleep(30)::text::integer', [])
  await threads[1]?.terminate()
  await expect(cut).rejects.toMatchObject({ code: 'database_down' })
  const askedAt = performance.now()
  await expect(owner.query('rollback', [])).rejects.toMatchObject({ code: 'database_down' })
  expect(performance.now() - askedAt).toBeLessThan(10_000)
  owner.release()
  expect(await one('select n from kept')).toEqual({ n: 7 })
  expect(threads).toHaveLength(3)
  await pool.end()
  await rm(dir, { recursive: true })
}, 240_000)

describe('the page', () => {
  let hub: TestHub
  beforeAll(async () => {
    hub = await startHub()
  })
  afterAll(() => hub.remove())

  test('is served at / with a strict policy, or a text says how to build it', async () => {
    const { status, text, headers } = await hub.ask('/')
    expect(status).toBe(200)
    expect(headers['content-security-policy']).toContain("default-src 'self'")
    expect(headers['content-security-policy']).not.toMatch(/upgrade-insecure-requests|data:/)
    expect(headers['x-content-type-options']).toBe('nosniff')
    const folder = pageFolder()
    if (folder === null) expect(text).toContain('npm run build')
    else {
      expect(headers['content-type']).toContain('text/html')
      for (const [, asset = ''] of text.matchAll(/(?:src|href)="\.?\/(assets\/[^"]+)"/g)) {
        expect(existsSync(join(folder, asset))).toBe(true)
        expect((await hub.ask(`/${asset}`)).status).toBe(200)
      }
    }
  })

  test('lets nobody out of its folder, and does not weigh on the heartbeat', async () => {
    for (const path of ['/../package.json', '/%2e%2e/package.json', '/assets/..%2f..%2fpackage.json'])
      expect((await hub.ask(path)).text).not.toContain('"name": "@mobilepool')
    expect((await hub.ask('/proxy_server?name=seoul-01')).headers['content-security-policy']).toBeUndefined()
  })
})
