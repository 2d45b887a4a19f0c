import { MobilePool, type MobilePoolOptions } from '@mobilepool/sdk'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type FaultyProxy, startFaultyProxy } from '../../sdk/test/servers/faulty-proxy.ts'
import { type Origin, startOrigin } from '../../sdk/test/servers/origin.ts'
import { sharedPostgres, startHub, type TestHub } from './hub.ts'

/** Pools of the SDK on a real hub: what one reports, and what another learns by it. */
const pools: MobilePool[] = []
let hub: TestHub
let origin: Origin
let omsk: FaultyProxy
let seoul: FaultyProxy
let token: string
let databaseUrl: string
let databases = 0

beforeEach(async () => {
  databaseUrl = await sharedPostgres().createDatabase(`pools_${databases++}`)
  hub = await startHub({ databaseUrl })
  origin = await startOrigin()
  omsk = await startFaultyProxy({ egress: '127.10.5.1' })
  seoul = await startFaultyProxy({ egress: '127.10.1.1' })
  await beat()
  for (const [name, proxy] of cast()) await hub.addDevice({ name, proxy_url: proxy.url })
  token = await hub.parserKey()
})
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close({ timeoutMs: 2_000 })))
  await Promise.all([origin, omsk, seoul].map((server) => server.close()))
  await hub.remove()
})

const cast = () => [['omsk-05', omsk] as const, ['seoul-01', seoul] as const]
const beat = async (): Promise<void> => {
  for (const [name, { egress }] of cast()) await hub.ask(`/proxy_server?name=${name}`, { from: egress })
}
const open = (options: MobilePoolOptions = {}): MobilePool => {
  const pool = new MobilePool({ hub: { url: hub.url, token }, balancer: 'round-robin', usage: { flushMs: 100 }, ...options })
  pools.push(pool)
  return pool
}
/** What a pool uses: both devices are there, so that what it avoids it avoids by choice. */
const ready = (pool: MobilePool) => vi.waitFor(() => expect(pool.stats().ready).toBe(2), { timeout: 20_000 })
const quarantinesOf = (pool: MobilePool) => pool.stats().devices.flatMap(({ quarantines }) => quarantines.map(({ site }) => site))
const shared = async () => (await hub.ask('/api/v1/bans', { key: 'admin' })).json.bans
const ask = async (pool: MobilePool, times: number): Promise<void> => {
  for (let i = 0; i < times; i++) {
    const response = await pool.fetch(origin.url)
    await response.text()
    expect(response.status).toBe(200)
  }
}
const seenFromOmsk = () => origin.seen.filter(({ remoteAddress }) => remoteAddress === omsk.egress).length

describe('a ban that one pool has confirmed', () => {
  test('is avoided by the others without ever asking there, also by those that come later and after a restart of the hub', async () => {
    origin.ban(omsk.egress)
    const [first, second] = [open(), open()]
    await Promise.all([ready(first), ready(second)])
    await ask(first, 2)
    expect(seenFromOmsk()).toBe(1)
    await vi.waitFor(() => expect(quarantinesOf(second)).toEqual(['127.0.0.1']), { timeout: 20_000 })
    await ask(second, 4)
    expect(seenFromOmsk()).toBe(1)
    expect(await shared()).toMatchObject([{ exit_ip: '127.10.5.1', site: '127.0.0.1' }])

    const { port } = hub
    hub = await hub.restart({ port })
    await beat()
    expect(await shared()).toHaveLength(1)
    const third = open()
    await ready(third)
    await vi.waitFor(() => expect(quarantinesOf(third)).toEqual(['127.0.0.1']), { timeout: 20_000 })
    await ask(third, 4)
    expect(seenFromOmsk()).toBe(1)
  })

  test('is its own affair where nobody wants to share, and a page that refuses everybody is nobody’s ban', async () => {
    origin.ban(omsk.egress)
    const [alone, other] = [open({ hub: { url: hub.url, token, shareBans: false } }), open()]
    await Promise.all([ready(alone), ready(other)])
    await ask(alone, 2)
    origin.unban(omsk.egress)
    for (const [, { egress }] of cast()) origin.ban(egress)
    expect((await other.fetch(origin.url)).status).toBe(403)
    expect(quarantinesOf(other)).toHaveLength(2)
    // The report of a ban that was confirmed comes after; nothing of the others came before it.
    origin.unban(seoul.egress)
    const last = open()
    await ready(last)
    expect(await shared()).toEqual([])
    await ask(last, 2)
    await vi.waitFor(async () => expect(await shared()).toHaveLength(1), { timeout: 20_000 })
  })
})

describe('usage', () => {
  const logged = async (): Promise<unknown[]> => {
    const client = new pg.Client({ connectionString: databaseUrl })
    await client.connect()
    try {
      const query =
        'select d.name, host(external_ip) as ip, target_url, outcome, response_size::int as size from request_logs join proxy_devices d on d.id = device_id order by request_logs.created_at'
      return (await client.query(query)).rows
    } finally {
      await client.end()
    }
  }

  test('reaches the hub, without paths, and what was made while the hub was away comes later, once', async () => {
    const pool = open()
    await ready(pool)
    await (await pool.fetch(`${origin.url}/bytes/1000?token=s3cret`)).arrayBuffer()
    await vi.waitFor(() => expect(pool.stats().usage).toEqual({ sent: 1, waiting: 0, dropped: 0 }), { timeout: 20_000 })
    const { port } = hub
    await hub.close()
    await ask(pool, 3)
    expect(pool.stats().usage).toEqual({ sent: 1, waiting: 3, dropped: 0 })
    hub = await hub.restart({ port })
    await vi.waitFor(() => expect(pool.stats().usage).toEqual({ sent: 4, waiting: 0, dropped: 0 }), { timeout: 40_000 })
    const [first, ...later] = await logged()
    expect(first).toMatchObject({ target_url: '127.0.0.1', outcome: 'answered', size: 1_000 })
    expect(later).toHaveLength(3)
    for (const [name, { egress }] of cast()) expect([first, ...later]).toContainEqual(expect.objectContaining({ name, ip: egress }))
  })

  test('of the last requests is delivered by close()', async () => {
    const pool = open({ usage: { flushMs: 60_000 } })
    await ready(pool)
    await ask(pool, 3)
    expect(pool.stats().usage).toMatchObject({ sent: 0, waiting: 3 })
    await pool.close()
    expect(pool.stats().usage).toEqual({ sent: 3, waiting: 0, dropped: 0 })
  })
})
