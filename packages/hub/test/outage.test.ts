import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { problem } from '@mobilepool/sdk/contract'
import pg from 'pg'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { scriptedAgent } from './agent.ts'
import { EventReader } from './event-reader.ts'
import { sharedPostgres, startHub, type TestHub } from './hub.ts'

let hub: TestHub
afterEach(async () => {
  await sharedPostgres()
    .start()
    .catch(() => {})
  await hub.remove()
})

const status = async (name: string) =>
  (await hub.ask('/status')).json.proxies.find((proxy: { name: string }) => proxy.name === name) as Record<string, unknown> | undefined

describe('while the database is away', () => {
  test('heartbeats are taken under load, the fleet is shown, the rest says why not; afterwards nothing is missing', async () => {
    hub = await startHub()
    const postgres = sharedPostgres()
    const parser = await hub.parserKey()
    const names = Array.from({ length: 20 }, (_, n) => `phone-${String(n).padStart(2, '0')}`)
    for (const name of names) await hub.addDevice({ name })
    const agent = await scriptedAgent(hub, 'busan-03')
    await agent.beat('127.10.3.1')

    const answers: { status: number; ms: number; ip: string }[] = []
    const enough = new AbortController()
    const load = names.map(async (name, n) => {
      for (let round = 0; !enough.signal.aborted && round < 2_000; round++) {
        const from = `127.10.${n + 10}.${1 + (round % 7)}`
        const asked = performance.now()
        const answer = await hub.ask(`/proxy_server?name=${name}`, { from })
        answers.push({ status: answer.status, ms: performance.now() - asked, ip: answer.json.remote_ip })
        await delay(10)
      }
    })
    const answered = (count: number) => vi.waitFor(() => expect(answers.length).toBeGreaterThan(count), { timeout: 15_000 })
    await answered(100)

    await postgres.stop('immediate')
    const before = answers.length
    await vi.waitFor(async () => expect((await hub.ask('/readyz')).json).toMatchObject({ status: 'degraded', database: 'down' }), {
      timeout: 10_000,
    })
    expect((await hub.ask('/readyz')).status).toBe(503)
    expect((await hub.ask('/healthz')).status).toBe(200)
    expect((await hub.ask('/proxy_server?name=newcomer', { from: '127.10.99.1' })).json).toMatchObject({ success: true, ip_changed: false })
    expect((await hub.ask('/proxy_server?name=newcomer', { from: '127.10.99.2' })).json).toMatchObject({ ip_changed: true })
    expect((await agent.beat('127.10.3.2', { operator: 'SKT' })).status).toBe(400)
    expect((await agent.beat('127.10.3.2')).json).toMatchObject({ ip_changed: true })

    expect((await hub.ask('/api/v1/proxy/list', { key: parser })).json.total).toBe(21)
    expect(await status('newcomer')).toMatchObject({ status: 'pending', remote_ip: '127.10.99.2' })
    const writes = await Promise.all([
      hub.ask('/api/v1/admin/devices', { method: 'POST', key: 'admin', body: { name: 'x' } }),
      hub.ask('/api/v1/admin/devices/phone-01', { method: 'PATCH', key: 'admin', body: { region: 'x' } }),
      hub.ask('/api/v1/admin/devices/busan-03/rotate', { method: 'POST', key: 'admin' }),
      hub.ask('/api/v1/keys', { method: 'POST', key: 'admin', body: { name: 'x', scope: 'proxy' } }),
      hub.ask('/api/v1/agents/tokens', { method: 'POST', key: 'admin' }),
      hub.ask(`/api/v1/rotations/${randomUUID()}`, { key: parser }),
    ])
    expect(writes.map(({ json }) => [json.status, json.code])).toEqual(writes.map(() => [503, 'database_down']))
    await answered(before + 400)

    await postgres.start()
    await vi.waitFor(
      async () => expect((await hub.ask('/readyz')).json).toEqual({ status: 'ok', database: 'up', waiting: expect.any(Number) }),
      {
        timeout: 15_000,
        interval: 100,
      },
    )
    await answered(answers.length + 100)
    enough.abort()
    await Promise.all(load)
    await vi.waitFor(async () => expect((await hub.ask('/readyz')).json.waiting).toBe(0), { timeout: 5_000 })

    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([200]))
    // 100 ms, and what a loaded machine adds.
    expect(answers.toSorted((a, b) => a.ms - b.ms)[Math.floor(answers.length * 0.95)]?.ms).toBeLessThan(1_000)
    expect((await hub.ask('/api/v1/admin/devices/busan-03/rotate', { method: 'POST', key: 'admin' })).status).toBe(202)

    const live = (await hub.ask('/status')).json.proxies
    hub = await hub.restart()
    const stored = (await hub.ask('/status')).json.proxies
    const facts = (lines: Record<string, unknown>[]) =>
      lines.map(({ name, remote_ip, last_seen, ip_changes, ip_since, id }) => ({ name, remote_ip, last_seen, ip_changes, ip_since, id }))
    expect(facts(stored)).toEqual(facts(live))
    expect(hub.log()).not.toContain('postgresql://')
  })

  test('an agent’s report is not lost: it is repeated until the hub can write it', async () => {
    hub = await startHub()
    const postgres = sharedPostgres()
    const agent = await scriptedAgent(hub, 'busan-03')
    await agent.beat('127.10.3.1')
    const { id } = (await hub.ask('/api/v1/admin/devices/busan-03/rotate', { method: 'POST', key: 'admin' })).json.rotation
    await postgres.stop()
    const said = { state: 'changed', old_ip: '127.10.3.1', new_ip: '127.10.3.2' }
    expect((await agent.report(id, '127.10.3.2', said)).json.code).toBe('database_down')
    await postgres.start()
    await vi.waitFor(
      async () => expect((await agent.report(id, '127.10.3.2', said)).json).toMatchObject({ rotation: { state: 'changed' } }),
      { timeout: 10_000 },
    )
  })

  test('event streams stay open and go on', async () => {
    hub = await startHub()
    const postgres = sharedPostgres()
    const stream = new EventReader(`${hub.url}/api/v1/events`)
    await stream.opened
    await postgres.stop()
    await hub.ask('/proxy_server?name=seoul-01')
    await stream.until('device')
    await postgres.start()
    expect(stream.isOpen).toBe(true)
    stream.close()
  })
})

test('a heartbeat is not answered before it is written, however slow the database is', async () => {
  const databaseUrl = await sharedPostgres().createDatabase('slow')
  hub = await startHub({ databaseUrl })
  await hub.ask('/proxy_server?name=seoul-01')
  const other = new pg.Client(databaseUrl)
  await other.connect()
  await other.query('begin; lock table proxy_heartbeat')
  let isAnswered = false
  const beat = hub.ask('/proxy_server?name=seoul-01', { from: '127.10.1.2' }).finally(() => {
    isAnswered = true
  })
  await vi.waitFor(async () => expect((await other.query('select 1 from pg_locks where not granted')).rowCount).toBeGreaterThan(0), {
    timeout: 10_000,
  })
  // That nothing comes can only be waited for.
  await delay(400)
  expect(isAnswered).toBe(false)
  await other.query('commit')
  await other.end()
  expect((await beat).json).toMatchObject({ success: true, ip_changed: true })
})

describe('a heartbeat that the database does not take', () => {
  test('in time is a 503, shown as heard, and written as soon as it can be', async () => {
    const databaseUrl = await sharedPostgres().createDatabase('locked')
    hub = await startHub({ databaseUrl })
    await hub.ask('/proxy_server?name=seoul-01', { from: '127.10.1.1' })
    const other = new pg.Client(databaseUrl)
    await other.connect()
    await other.query('begin; lock table proxy_heartbeat')
    const late = await hub.ask('/proxy_server?name=seoul-01', { from: '127.10.1.2' })
    expect(problem.parse(late.json)).toMatchObject({ status: 503, code: 'heartbeat_not_stored', retry_after: 5 })
    expect(late.headers['retry-after']).toBe('5')
    expect((await hub.ask('/readyz')).json.status).toBe('ok')
    expect(await status('seoul-01')).toMatchObject({ remote_ip: '127.10.1.2', ip_changes: 1 })
    await other.query('commit')
    // Which waits for the former.
    expect((await hub.ask('/proxy_server?name=seoul-01', { from: '127.10.1.2' })).json).toMatchObject({ success: true, ip_changed: false })
    const { rows } = await other.query('select host(remote_ip) as ip, ip_changes from proxy_heartbeat')
    expect(rows).toEqual([{ ip: '127.10.1.2', ip_changes: 1 }])
    await other.end()
  })

  test('because it refuses a value is a 503; a new name is then no device, a known one’s address is written with a later beat', async () => {
    const databaseUrl = await sharedPostgres().createDatabase('refusing')
    hub = await startHub({ databaseUrl })
    const stream = new EventReader(`${hub.url}/api/v1/events`)
    await stream.opened
    await hub.addDevice({ name: 'seoul-01' })
    await hub.ask('/proxy_server?name=seoul-01', { from: '127.10.1.1' })
    const other = new pg.Client(databaseUrl)
    await other.connect()
    await other.query(`alter table ip_history add constraint picky check (ip_address <> '127.10.66.6')`)
    const [known, unknown, beside] = await Promise.all([
      hub.ask('/proxy_server?name=seoul-01', { from: '127.10.66.6' }),
      hub.ask('/proxy_server?name=newcomer', { from: '127.10.66.6' }),
      hub.ask('/proxy_server?name=moscow-07', { from: '127.10.1.7' }),
    ])
    for (const { json, headers } of [known, unknown]) {
      expect(problem.parse(json)).toMatchObject({ status: 503, code: 'heartbeat_not_stored', retry_after: 60 })
      expect(headers['retry-after']).toBe('60')
    }
    expect(beside.status).toBe(200)
    expect(await status('newcomer')).toBeUndefined()
    await stream.until('device_removed')
    expect(await status('seoul-01')).toMatchObject({ remote_ip: '127.10.66.6', ip_changes: 1 })
    expect((await hub.ask('/proxy_server?name=seoul-01', { from: '127.10.66.6' })).status).toBe(503)

    await other.query('alter table ip_history drop constraint picky')
    expect((await hub.ask('/proxy_server?name=seoul-01', { from: '127.10.66.6' })).status).toBe(200)
    expect((await hub.ask('/proxy_server?name=newcomer', { from: '127.10.66.6' })).status).toBe(200)
    const { rows } = await other.query(
      'select d.name, host(h.ip_address) as ip from ip_history h join proxy_devices d on d.id = h.device_id order by d.name, h.first_seen',
    )
    expect(rows).toEqual([
      { name: 'moscow-07', ip: '127.10.1.7' },
      { name: 'newcomer', ip: '127.10.66.6' },
      { name: 'seoul-01', ip: '127.10.1.1' },
      { name: 'seoul-01', ip: '127.10.66.6' },
    ])
    await other.end()
    stream.close()
    const live = (await hub.ask('/status')).json.proxies
    hub = await hub.restart()
    expect((await hub.ask('/status')).json.proxies.map(({ name, ip_changes }: Record<string, unknown>) => [name, ip_changes])).toEqual(
      live.map(({ name, ip_changes }: Record<string, unknown>) => [name, ip_changes]),
    )
  })
})
