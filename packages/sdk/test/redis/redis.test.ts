import http from 'node:http'
import type { MobilePool, MobilePoolOptions } from '@mobilepool/sdk'
import { Cluster, Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { eventually } from '../eventually.ts'
import { builtSdk } from '../matrix/built.ts'
import { runNode } from '../matrix/run-node.ts'
import { type Child, startChild } from '../servers/child.ts'
import { listen } from '../servers/listen.ts'
import { collect, Stage } from '../stage.ts'
import type { ParserCalls } from './parser.ts'
import { type RedisServer, startCluster, startRedis, whyNoRedis } from './redis-server.ts'

vi.setConfig({ testTimeout: 60_000 })
if (whyNoRedis !== undefined && !process.env.CI) console.warn(`skipped: redis.test.ts ${whyNoRedis}`)

const stage = new Stage()
const children: Child<ParserCalls>[] = []
let redis: RedisServer

const parser = async (options: MobilePoolOptions): Promise<Child<ParserCalls>> => {
  const child = await startChild<ParserCalls>(new URL('./parser.ts', import.meta.url), [JSON.stringify(options)])
  children.push(child)
  return child
}

/** Devices with exit IPs of their own. */
const fleet = async (count: number) =>
  Promise.all(Array.from({ length: count }, (_, index) => stage.device('seoul-01', { egress: `127.40.${index + 1}.1` })))

describe.skipIf(whyNoRedis !== undefined && !process.env.CI)('pools that share by Redis', () => {
  beforeEach(async () => {
    redis = await startRedis()
  })
  afterEach(async () => {
    await Promise.all(children.splice(0).map((child) => child.stop()))
    await redis.close()
  })

  test('4 processes, 20 devices, 100 requests a minute: the limit holds over all of them, with one killed in the middle, and is used up', async () => {
    const devices = await fleet(20)
    const arrivals = new Map<string, number[]>()
    const begun = performance.now()
    const site = http.createServer(({ socket: { remoteAddress = '' } }, response) => {
      arrivals.set(remoteAddress, [...(arrivals.get(remoteAddress) ?? []), performance.now() - begun])
      response.end('fine')
    })
    const { port, close } = await listen(site)
    const url = `http://127.0.0.1:${port}/`
    const options = { devices: devices.map(({ url }) => url), redis: redis.url, perDevice: { requestsPerMinute: 100 } }
    const parsers = await Promise.all([1, 2, 3, 4].map(() => parser(options)))
    const load = { workers: 30, ms: 9_000 }
    const startedAt = performance.now() - begun
    const [killed, ...others] = parsers
    const ends = Promise.all(others.map((each) => each.ask('load', url, load)))
    ends.catch(() => {})
    const end = killed?.ask('load', url, load).catch(() => 'killed')
    await eventually('half of it is done', () => performance.now() - begun - startedAt > load.ms / 2, { timeoutMs: 20_000 })
    process.kill(killed?.pid ?? 0, 'SIGKILL')
    expect(await end).toBe('killed')
    for (const each of await ends) expect(new Set(Object.keys(each))).toEqual(new Set(['200', 'over']))
    await close()
    expect(arrivals.size).toBe(20)
    for (const times of arrivals.values()) {
      // GCRA: the n-th request cannot begin earlier than n cells after the first; what arrives late is the network's doing.
      const early = times.filter((time, place) => time < (times[0] ?? 0) + place * 600 - 250)
      expect(early).toEqual([])
      const lasted = startedAt + load.ms - (times[0] ?? 0)
      expect(times.length).toBeGreaterThanOrEqual(Math.floor((lasted / 600) * 0.8))
    }
  })

  test('what a killed process held is free within seconds; no device ever has more requests than it may', async () => {
    const [device] = await fleet(1)
    const origin = await stage.origin()
    const options = { devices: [device?.url ?? ''], redis: redis.url, perDevice: { concurrency: 3 } }
    const [one, other] = [await parser(options), await parser(options)]
    await one.ask('begin', `${origin.url}/hang`, 3)
    await eventually('the places are taken', () => origin.seen.length === 3)
    const answered = other.ask('load', origin.url, { workers: 2, ms: 12_000 })
    answered.catch(() => {})
    process.kill(one.pid, 'SIGKILL')
    const killedAt = performance.now()
    await eventually('somebody else is served', () => origin.seen.length > 3, { timeoutMs: 10_000 })
    expect(performance.now() - killedAt).toBeLessThan(6_000)
    expect(new Set(Object.keys(await answered))).toEqual(new Set(['200', 'over']))
  })

  test('a session is on one device in every process, until it is ended', async () => {
    const devices = await fleet(12)
    const origin = await stage.origin()
    const options = { devices: devices.map(({ url }) => url), redis: redis.url, balancer: 'round-robin' } as const
    const parsers = await Promise.all([1, 2, 3].map(() => parser(options)))
    for (const key of ['account-1', 'account-2', 'account-3']) {
      const first = await parsers[0]?.ask('session', key, origin.url)
      const others = await Promise.all(parsers.map((each) => each.ask('session', key, origin.url)))
      expect(new Set([first, ...others]).size).toBe(1)
    }
    const used = new Set(origin.seen.map(({ remoteAddress }) => remoteAddress))
    expect(used.size).toBe(3)
  })

  /** Two pools in this process, as unlike as those of two. */
  const two = async (count: number, options: Omit<MobilePoolOptions, 'devices' | 'redis'> = {}): Promise<[MobilePool, MobilePool]> => {
    const devices = await fleet(count)
    const open = (): MobilePool =>
      stage.open({ devices: devices.map(({ url }) => url), redis: redis.url, balancer: 'round-robin', ...options })
    const pools = [open(), open()] as const
    for (const pool of pools) await eventually('Redis is there', () => pool.stats().isShared === true)
    return [...pools]
  }
  const exitOf = async (response: Promise<Response>): Promise<string> =>
    ((await (await response).json()) as { remoteAddress: string }).remoteAddress

  test('a session that has ended begins anew in every process', async () => {
    const [one, other] = await two(12)
    const origin = await stage.origin()
    const before = await exitOf(one.session('account').fetch(origin.url))
    expect(await exitOf(other.session('account').fetch(origin.url))).toBe(before)
    one.session('account').end()
    const after = await exitOf(one.session('account').fetch(origin.url))
    expect(after).not.toBe(before)
    expect(await exitOf(other.session('account').fetch(origin.url))).toBe(after)
  })

  test('a ban that one meets is known to the other, one that is lifted too', async () => {
    const hub = await stage.hub()
    const [first, second] = await fleet(2)
    for (const [name, device] of [
      ['omsk-05', first],
      ['kazan-02', second],
    ] as const)
      hub.put(name, { proxy_url: device?.url ?? '', exit_ip: device?.egress ?? '' })
    const options = { hub: { url: hub.url, token: hub.token, shareBans: false }, redis: redis.url, balancer: 'round-robin' } as const
    const [one, other] = [stage.open(options), stage.open(options)]
    for (const pool of [one, other]) await eventually('Redis is there', () => pool.stats().isShared === true && pool.stats().ready === 2)
    const origin = await stage.origin()
    origin.ban('127.40.1.1')
    for (let request = 0; request < 4; request++) expect((await one.fetch(origin.url)).status).toBe(200)
    await eventually('the other knows', () => other.stats().quarantines === 1)
    const bans = collect(other, 'ban')
    const seen = origin.seen.length
    for (let request = 0; request < 4; request++) expect(await exitOf(other.fetch(origin.url))).toBe('127.40.2.1')
    expect([origin.seen.length - seen, bans.length]).toEqual([4, 0])
    const late = stage.open(options)
    await eventually('one that comes later knows as well', () => late.stats().quarantines === 1)
    one.report('omsk-05', { ok: true, site: origin.url })
    await eventually('the others know that it is over', () => other.stats().quarantines + late.stats().quarantines === 0)
  })

  test('one question to Redis a request', async () => {
    const [pool] = await two(4)
    const origin = await stage.origin()
    const client = new Redis(redis.url)
    const scripts = async (): Promise<number> =>
      Number(/cmdstat_evalsha:calls=(\d+)/.exec(await client.info('commandstats'))?.[1] ?? 0) +
      Number(/cmdstat_eval:calls=(\d+)/.exec(await client.info('commandstats'))?.[1] ?? 0)
    await pool.fetch(origin.url)
    const before = await scripts()
    for (let request = 0; request < 20; request++) await (await pool.fetch(origin.url)).text()
    await eventually('all is given back', async () => (await client.keys('*:counts:*')).length === 0)
    const asked = (await scripts()) - before
    client.disconnect()
    // A claim and a release each; and a sign of life a second of either pool.
    expect(asked).toBeGreaterThanOrEqual(40)
    expect(asked).toBeLessThan(48)
  })

  test('with Redis gone each goes on with its own limits and says so, and shares again when it is back', async () => {
    const [pool, other] = await two(1, { perDevice: { concurrency: 1 } })
    const origin = await stage.origin()
    const events = collect(pool, 'redis')
    await redis.kill()
    const answers = await Promise.all(Array.from({ length: 5 }, async () => (await pool.fetch(origin.url)).status))
    expect(answers).toEqual([200, 200, 200, 200, 200])
    expect(events).toEqual([{ isUp: false, reason: expect.any(String) }])
    expect(pool.stats().isShared).toBe(false)
    // One that is under way when Redis comes back counts there.
    const slow = pool.fetch(`${origin.url}/hang`).catch(() => null)
    await eventually('it is under way', () => origin.seen.some(({ url }) => url === '/hang'))
    await redis.restart()
    await eventually('both share again', () => pool.stats().isShared === true && other.stats().isShared === true, { timeoutMs: 20_000 })
    expect(events.at(-1)).toEqual({ isUp: true })
    const refused = other.fetch(origin.url, { view: { queueTimeoutMs: 500 } })
    await expect(refused).rejects.toMatchObject({ code: 'MP_QUEUE_TIMEOUT' })
    await pool.destroy()
    await slow
    expect((await other.fetch(origin.url)).status).toBe(200)
  })

  test('requests that are given up while Redis is asked leave nothing behind', async () => {
    const [pool] = await two(2, { perDevice: { concurrency: 2 } })
    const origin = await stage.origin()
    const client = new Redis(redis.url)
    for (let round = 0; round < 20; round++) {
      const stop = new AbortController()
      const requests = Array.from({ length: 6 }, () => pool.fetch(`${origin.url}/slow/20`, { signal: stop.signal }).catch(() => null))
      if (round % 2 === 0) stop.abort()
      else setImmediate(() => stop.abort())
      await Promise.all(requests)
    }
    await eventually('no device has a request', () => pool.stats().devices.every(({ inFlight }) => inFlight === 0))
    await eventually('nothing is counted', async () => (await client.keys('*:counts:*')).length === 0)
    client.disconnect()
    expect((await pool.fetch(origin.url)).status).toBe(200)
  })

  test('a client of ioredis stays its owner’s; a prefix keeps pools apart', async () => {
    const [device] = await fleet(1)
    const origin = await stage.origin()
    const client = new Redis(redis.url)
    const options = { devices: [device?.url ?? ''], perDevice: { concurrency: 1 } }
    const [one, other] = ['a', 'b'].map((prefix) => stage.open({ ...options, redis: { client, prefix } })) as [MobilePool, MobilePool]
    const slow = one.fetch(`${origin.url}/hang`).catch(() => null)
    await eventually('it is under way', () => origin.seen.length === 1)
    expect((await other.fetch(origin.url)).status).toBe(200)
    await one.destroy()
    await other.close()
    await slow
    expect(await client.ping()).toBe('PONG')
    client.disconnect()
  })

  test.each(['there', 'away'])('does not keep a process alive that has nothing left to do, with Redis %s', async (how) => {
    const [device] = await fleet(1)
    const origin = await stage.origin()
    const [url, options] = [redis.url, JSON.stringify({ devices: [device?.url] })]
    if (how === 'away') await redis.kill()
    const script = `import { MobilePool } from '@mobilepool/sdk'
      const pool = new MobilePool({ ...${options}, redis: '${url}' })
      console.log((await pool.fetch('${origin.url}')).status)`
    const end = await runNode(process.execPath, ['--input-type=module', '--eval', script], builtSdk())
    expect(end).toMatchObject({ status: 0, stdout: '200\n' })
  })

  test('works with a cluster of three nodes', async () => {
    const nodes = await startCluster()
    const cluster = new Cluster(nodes.map(({ port }) => ({ host: '127.0.0.1', port })))
    try {
      const devices = await fleet(3)
      const origin = await stage.origin()
      const pool = stage.open({ devices: devices.map(({ url }) => url), redis: cluster, perDevice: { requestsPerMinute: 600 } })
      const answers = await Promise.all(Array.from({ length: 12 }, async () => (await pool.session('account').fetch(origin.url)).status))
      expect(new Set(answers)).toEqual(new Set([200]))
      expect(pool.stats().isShared).toBe(true)
      await pool.close()
    } finally {
      cluster.disconnect()
      await Promise.all(nodes.map((node) => node.close()))
    }
  })
})

test.each([
  [{ redis: 'http://redis' }, 'redis.client: must be a redis:// or rediss:// URL, or a client of ioredis'],
  [{ redis: { client: 'redis://r', prefix: 'a b' } }, 'redis.prefix: must be 1 to 100 letters'],
  [{ redis: { client: {} } }, 'redis.client: must be a redis:// or rediss:// URL, or a client of ioredis'],
  [{ redis: { client: 'redis://r', timeoutMs: 1 } }, 'redis.timeoutMs: '],
])('%j is refused by name', (wrong, message) => {
  const options = { devices: ['http://127.0.0.1:1'], ...wrong } as MobilePoolOptions
  expect(() => stage.open(options)).toThrow(message)
})
