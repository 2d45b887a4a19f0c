import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import { type Lease, type MobilePool, MobilePoolError, type MobilePoolOptions } from '@mobilepool/sdk'
import { describe, expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import { exitByAgent, lost, refusesEverywhere } from './lease-requests.ts'
import type { Origin, SeenRequest } from './servers/origin.ts'
import { collect, Stage } from './stage.ts'
import { exitOf, twoDevices } from './two-devices.ts'

const stage = new Stage()

const two = (options?: MobilePoolOptions) => twoDevices(stage, options)

/** The exit IP as the origin sees it, through the lease's proxy, by curl: neither our code nor Node's. */
async function exitByCurl(proxyUrl: string, url: string): Promise<string> {
  const { stdout } = await promisify(execFile)('curl', ['-skf', '--max-time', '20', '-x', proxyUrl, url])
  return (JSON.parse(stdout) as SeenRequest).remoteAddress
}

/** What a proxy answers to CONNECT. */
async function connectStatus(proxyUrl: string, url: string): Promise<string> {
  const { stdout } = await promisify(execFile)('curl', [
    '-sk',
    '--max-time',
    '20',
    '-o',
    '/dev/null',
    '-w',
    '%{http_connect}',
    '-x',
    proxyUrl,
    url,
  ]).catch((error: { stdout: string }) => error)
  return stdout
}

describe('a lease', () => {
  test('keeps everything that is sent through it on its device, by whichever face', async () => {
    const { pool, origin } = await two()
    await using lease = await pool.lease()
    expect(lease).toMatchObject({ deviceId: 'busan-03', device: 'busan-03', exitIp: null })
    const { dispatcher } = lease
    const exits = await Promise.all([
      exitOf(lease.fetch(origin.url)),
      exitOf(lease.fetch(`${origin.url}/redirect`)),
      exitOf(fetch(origin.url, Object.assign({}, { dispatcher }))),
      exitOf(dispatcher.with({ session: 'account-42' }).fetch(origin.url)),
      exitOf(pool.run({ session: 'account-43' }, () => lease.fetch(origin.url))),
      exitByAgent(lease, origin.url),
      exitByAgent(lease, origin.url),
    ])
    expect(new Set(exits)).toEqual(new Set(['127.10.3.1']))
    const other = await pool.lease()
    expect(other.deviceId).toBe('seoul-01')
    await other.release()
  })

  test('is of a device that its options ask for', async () => {
    const { pool } = await two()
    for (const options of [{ filter: { tags: ['s'] } }, { devices: 'seoul-01' }, { exclude: 'busan-03' }]) {
      await using lease = await pool.lease(options)
      expect(lease.deviceId).toBe('seoul-01')
    }
    await using inRun = await pool.run({ devices: ['seoul-01'] }, () => pool.lease())
    expect(inRun.deviceId).toBe('seoul-01')
    await expect(pool.lease({ devices: 'nobody' })).rejects.toMatchObject({ code: 'MP_NO_DEVICE' })
  })

  test('with a session is of the device that the session is on, and puts a new session there', async () => {
    const { pool, origin } = await two()
    const first = pool.session('a')
    await exitOf(first.fetch(origin.url))
    for (let i = 0; i < 3; i++) {
      await using lease = await pool.lease({ session: 'a' })
      expect(lease.deviceId).toBe(first.device?.deviceId)
    }
    await using lease = await pool.lease({ session: 'b' })
    expect(pool.session('b').device?.deviceId).toBe(lease.deviceId)
  })

  test('leaves out devices that its site has banned, and reports for it', async () => {
    const origin = await stage.origin()
    const pool = stage.pool([await stage.device('busan-03'), await stage.device('seoul-01')])
    const [busan, seoul] = [await pool.lease({ site: origin.url }), await pool.lease()]
    expect(busan.report({ banned: true, reason: 'shadow ban' })).toMatchObject({ deviceId: 'busan-03', site: '127.0.0.1' })
    expect(seoul.deviceId).toBe('seoul-01')
    for (let i = 0; i < 3; i++) expect((await pool.lease({ site: new URL(origin.url) })).deviceId).toBe('seoul-01')
    seoul.report({ banned: true, site: origin.url })
    await expect(pool.lease({ site: '127.0.0.1', queueTimeoutMs: 100 })).rejects.toMatchObject({ code: 'MP_ALL_BANNED' })
    expect(['busan-03', 'seoul-01']).toContain((await pool.lease({ site: 'example.com' })).deviceId)
  })

  test.each(['round-robin', 'least-connections', 'random', 'weighted', 'ip-hash'] as const)(
    'holds no place at its device, and %s spreads leases over devices',
    async (balancer) => {
      const { pool, origin } = await two({ balancer, perDevice: { concurrency: 1, requestsPerMinute: 60 } })
      const leases = await Promise.all(Array.from({ length: 40 }, () => pool.lease()))
      expect(new Set(leases.map(({ deviceId }) => deviceId))).toEqual(new Set(['busan-03', 'seoul-01']))
      expect(pool.stats().devices.map(({ inFlight, requests }) => [inFlight, requests])).toEqual([
        [0, 0],
        [0, 0],
      ])
      expect(pool.stats().requests).toMatchObject({ started: 0, answered: 0, inFlight: 0, queued: 0 })
      expect(await exitOf(pool.fetch(origin.url))).toMatch(/^127\.10\.[13]\.1$/)
    },
  )

  test.each([
    [{ site: '' }, 'site: must be a host name or a URL'],
    [{ onIpChange: 'move' }, "onIpChange: must be 'fail' or 'follow'"],
    [{ signal: 1 }, 'signal: must be an AbortSignal'],
    [{ proxy: true }, "proxy: must be 'local', 'direct' or false"],
    [{ operator: 'MTS' }, 'operator: there is no such option'],
  ])('with options %o is refused: %s', async (options, complaint) => {
    const { pool } = await two()
    await expect(pool.lease(options as never)).rejects.toMatchObject({
      code: 'MP_OPTIONS',
      message: expect.stringContaining(complaint),
    })
  })
})

describe('the proxy of a lease', () => {
  test('has credentials of its own, good for its device alone, until the release', async () => {
    const { pool, origin } = await two()
    const plain = await stage.origin()
    const [busan, seoul] = [await pool.lease(), await pool.lease()]
    expect(new URL(busan.proxyUrl).host).toBe(new URL(seoul.proxyUrl).host)
    expect(new URL(busan.proxyUrl).hostname).toBe('127.0.0.1')
    expect(new URL(busan.proxyUrl).password).not.toBe(new URL(seoul.proxyUrl).password)
    for (const { url } of [origin, plain, origin]) {
      expect(await exitByCurl(busan.proxyUrl, url)).toBe('127.10.3.1')
      expect(await exitByCurl(seoul.proxyUrl, url)).toBe('127.10.1.1')
    }
    const foreign = new URL(busan.proxyUrl)
    foreign.password = new URL(seoul.proxyUrl).password
    expect(await connectStatus(foreign.href, origin.url)).toBe('407')
    foreign.password = new URL(busan.proxyUrl).password
    foreign.username += '-session-1'
    expect(await connectStatus(foreign.href, origin.url)).toBe('407')
    await busan.release()
    expect(await connectStatus(busan.proxyUrl, origin.url)).toBe('407')
    expect(await exitByCurl(seoul.proxyUrl, origin.url)).toBe('127.10.1.1')
    await seoul.release()
    expect(await connectStatus(seoul.proxyUrl, origin.url)).toBe('000')
  })

  test('answers 503 once the lease is lost', async () => {
    const { pool, origin } = await two()
    const lease = await pool.lease({ devices: 'busan-03' })
    expect(await exitByCurl(lease.proxyUrl, origin.url)).toBe('127.10.3.1')
    await pool.rotate('busan-03')
    expect(await connectStatus(lease.proxyUrl, origin.url)).toBe('503')
    await lease.release()
  })

  test('release cuts what goes through it', async () => {
    const { pool, origin, busan } = await two()
    const lease = await pool.lease({ devices: 'busan-03' })
    const cut = expect(exitByCurl(lease.proxyUrl, `${origin.url}/hang`)).rejects.toThrow()
    await eventually('it is under way', () => origin.seen.length === 1)
    await lease.release()
    await cut
    await eventually('its connection at the device is closed', () => busan.sockets.size === 0)
  })

  test('is the device’s own with `direct`, in the same shapes; the pool sees nothing of it', async () => {
    const seoul = await stage.device('seoul-01', { auth: 'us@er:p@ss' })
    const pool = stage.pool([seoul])
    const origin = await stage.origin()
    await using lease = await pool.lease({ proxy: 'direct' })
    expect(lease.proxyUrl).toBe(seoul.url)
    const credentials = { username: 'us@er', password: 'p@ss' }
    const server = `http://${seoul.authority}`
    expect(lease.playwright).toEqual({ server, ...credentials })
    expect(lease.puppeteer).toEqual({ args: expect.arrayContaining([`--proxy-server=${server}`]), authenticate: credentials })
    expect(await exitByCurl(lease.proxyUrl, origin.url)).toBe('127.10.1.1')
    expect(pool.stats().requests.started).toBe(0)
  })

  test('is not there with `proxy: false`', async () => {
    const { pool, origin } = await two()
    await using lease = await pool.lease({ proxy: false })
    expect(() => lease.proxyUrl).toThrow(expect.objectContaining({ code: 'MP_OPTIONS', message: expect.stringContaining('proxy: false') }))
    expect(() => lease.playwright).toThrow('proxy: false')
    expect(await exitOf(lease.fetch(origin.url))).toBe('127.10.3.1')
  })
})

describe('waiting for a lease', () => {
  test('is in the order of requests, in time, and can be given up', async () => {
    const { pool, origin } = await two({ perDevice: { concurrency: 1 } })
    pool.fetch(`${origin.url}/hang`).catch(() => {})
    const slow = pool.fetch(`${origin.url}/slow/300`)
    await eventually('both devices are busy', () => origin.seen.length === 2)
    await expect(pool.lease({ queueTimeoutMs: 20 })).rejects.toMatchObject({ code: 'MP_QUEUE_TIMEOUT' })
    const abort = new AbortController()
    const given = pool.lease({ signal: abort.signal })
    const aborted = expect(given).rejects.toThrow('no more')
    abort.abort(new Error('no more'))
    await aborted
    await expect(pool.lease({ signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' })
    expect(pool.stats().requests.queued).toBe(0)
    const order: string[] = []
    const lease = pool.lease().then((one) => {
      order.push('lease')
      return one
    })
    const request = exitOf(pool.fetch(origin.url)).then(() => order.push('request'))
    expect(pool.stats().requests.queued).toBe(2)
    expect((await lease).deviceId).toBe('seoul-01')
    await Promise.all([slow, request])
    expect(order).toEqual(['lease', 'request'])
    await pool.destroy()
  })

  test('ends when the pool closes', async () => {
    const { pool } = await two()
    const waiting = expect(pool.lease({ devices: 'nobody' })).rejects.toThrow()
    await pool.destroy()
    await waiting
    await expect(pool.lease()).rejects.toMatchObject({ code: 'MP_CLOSED' })
  })
})

/** A lease of busan-03, with one request that hangs and one whose answer has begun. */
async function inUse(pool: MobilePool, url: string, onIpChange: 'fail' | 'follow' = 'fail') {
  const lease = await pool.lease({ devices: 'busan-03', onIpChange })
  const hanging = lease.fetch(`${url}/hang`)
  void hanging.catch(() => {})
  const begun = await lease.fetch(`${url}/stream/100`)
  return { lease, hanging, begun }
}

describe('a lease is over', () => {
  test('when it is released: what has no answer fails, what has begun finishes, and nothing more is sent', async () => {
    const { pool, origin } = await two()
    const { lease, hanging, begun } = await inUse(pool, origin.url)
    await exitByAgent(lease, origin.url)
    await eventually('both requests are there', () => origin.seen.length === 3)
    await lease.release()
    expect(lease.signal.reason).toBeInstanceOf(MobilePoolError)
    expect(lease.signal.reason).toMatchObject({ code: 'MP_LEASE_RELEASED', deviceId: 'busan-03' })
    await expect(hanging).rejects.toMatchObject({ code: 'MP_LEASE_RELEASED' })
    expect(await begun.text()).toBe('firstsecond')
    await refusesEverywhere(lease, origin.url, 'MP_LEASE_RELEASED')
    await expect(lease.rotate()).rejects.toMatchObject({ code: 'MP_LEASE_RELEASED' })
    await lease.release()
    expect(origin.seen).toHaveLength(3)
    expect(await exitOf(pool.fetch(origin.url))).toMatch(/^127\.10\.[13]\.1$/)
  })

  test('when its device is about to rotate: what is under way may finish, nothing gets the new IP', async () => {
    const { pool, origin } = await two({ rotate: { drainMs: 5_000 } })
    const lease = await pool.lease({ devices: 'busan-03' })
    const slow = lease.fetch(`${origin.url}/slow/200`)
    await eventually('it is under way', () => origin.seen.length === 1)
    const over = once(lease.signal, 'abort')
    const rotation = pool.rotate('busan-03')
    await over
    expect(lease.signal.reason).toMatchObject({ ...lost, message: expect.stringContaining('about to rotate') })
    const later = expect(lease.fetch(origin.url)).rejects.toMatchObject(lost)
    expect(await (await slow).text()).toBe('slow')
    await rotation
    await later
    await refusesEverywhere(lease, origin.url, 'MP_LEASE_LOST')
    expect(new Set(origin.seen.map(({ remoteAddress }) => remoteAddress))).toEqual(new Set(['127.10.3.1']))
  })

  test('not when it follows its device: requests wait for the rotation', async () => {
    const { pool, origin } = await two()
    await using lease = await pool.lease({ devices: 'busan-03', onIpChange: 'follow' })
    expect(await exitOf(lease.fetch(origin.url))).toBe('127.10.3.1')
    const drains = once(pool as unknown as EventTarget, 'rotationStart')
    const rotation = pool.rotate('busan-03')
    await drains
    expect(await exitOf(lease.fetch(origin.url))).toBe('127.10.3.2')
    await rotation
    expect(lease.exitIp).toBe('127.10.3.2')
    expect(lease.signal.aborted).toBe(false)
  })

  test('not when it rotates its device itself: it goes on with the new IP; others are over', async () => {
    const { pool, origin } = await two()
    // A pool of static devices knows an exit IP only after it has changed.
    await pool.rotate('busan-03')
    const [own, other] = [await pool.lease({ devices: 'busan-03' }), await pool.lease({ devices: 'busan-03' })]
    expect(await exitOf(own.fetch(origin.url))).toBe('127.10.3.2')
    expect(await own.rotate()).toMatchObject({ outcome: 'changed', oldIp: '127.10.3.2', newIp: '127.10.3.3' })
    expect([own.exitIp, own.signal.aborted]).toEqual(['127.10.3.3', false])
    expect(await exitOf(own.fetch(origin.url))).toBe('127.10.3.3')
    expect(other.signal.reason).toMatchObject({ ...lost, message: expect.stringContaining('127.10.3.2') })
    await pool.rotate('busan-03')
    expect(own.signal.reason).toMatchObject({ ...lost, message: expect.stringContaining('127.10.3.3') })
  })

  test.each(['fail', 'follow'] as const)('when its device is ejected (%s)', async (onIpChange) => {
    const { pool, origin, busan } = await two({ eject: { consecutive: 1, baseMs: 60_000 } })
    const lease = await pool.lease({ devices: 'busan-03', onIpChange })
    await exitOf(lease.fetch(origin.url))
    await busan.refuse()
    busan.dropAll()
    const over = once(lease.signal, 'abort')
    await expect(lease.fetch(origin.url)).rejects.toBeInstanceOf(MobilePoolError)
    // It was the only way there for this request: nobody is to blame until another device serves.
    for (let i = 0; i < 4 && !lease.signal.aborted; i++) await pool.fetch(origin.url)
    await over
    expect(lease.signal.reason).toMatchObject({ ...lost, message: expect.stringContaining('ejected') })
    await busan.accept()
    await refusesEverywhere(lease, origin.url, 'MP_LEASE_LOST')
  })

  test.each([
    ['a report', async ({ lease }: { lease: Lease }) => void lease.report({ banned: true })],
    [
      'an answer',
      async ({ lease, origin }: { lease: Lease; origin: Origin }) => {
        origin.ban('127.10.3.1')
        expect((await lease.fetch(origin.url)).status).toBe(403)
      },
    ],
  ])('with `onBan: fail` when %s says that its exit IP is banned at its site: nothing waits for the quarantine', async (_what, ban) => {
    const { pool, origin } = await two()
    await using lease = await pool.lease({ site: origin.url, onBan: 'fail' })
    await using waiting = await pool.lease({ site: origin.url, devices: ['busan-03'] })
    await ban({ lease, origin })
    await refusesEverywhere(lease, origin.url, 'MP_LEASE_LOST')
    expect(lease.signal.reason).toMatchObject({ code: 'MP_LEASE_LOST', deviceId: 'busan-03' })
    expect(waiting.signal.aborted).toBe(false)
    await using next = await pool.lease({ site: origin.url, onBan: 'fail' })
    expect(await exitOf(next.fetch(origin.url))).toBe('127.10.1.1')
  })

  test('with `onBan: fail` not when another site bans its exit IP, nor while it rotates away from the ban', async () => {
    const { pool, origin } = await two()
    await using lease = await pool.lease({ site: origin.url, onBan: 'fail' })
    pool.report('busan-03', { banned: true, site: 'https://elsewhere.example' })
    expect(await exitOf(lease.fetch(origin.url))).toBe('127.10.3.1')
    const rotation = lease.rotate()
    pool.report('busan-03', { banned: true, site: origin.url })
    await rotation
    expect(await exitOf(lease.fetch(origin.url))).toBe('127.10.3.2')
  })

  test('with `onBan: fail` and no site there is none to ban it: says so', async () => {
    const { pool } = await two()
    await expect(pool.lease({ onBan: 'fail' })).rejects.toMatchObject({
      code: 'MP_OPTIONS',
      message: expect.stringContaining("onBan: 'fail' needs `site`"),
    })
  })

  test('when the pool closes; requests under way finish first', async () => {
    const { pool, origin } = await two()
    const lease = await pool.lease()
    const slow = lease.fetch(`${origin.url}/slow/100`)
    await eventually('it is under way', () => origin.seen.length === 1)
    const closing = pool.close()
    expect(lease.signal.reason).toMatchObject({ code: 'MP_CLOSED' })
    expect(await (await slow).text()).toBe('slow')
    await closing
  })
})

test('rotate.onSessionEnd: the device rotates when its last lease is released, unless the lease was lost', async () => {
  const { pool, rotations } = await two({ rotate: { onSessionEnd: true, minIntervalMs: 0 } })
  const ends = collect(pool, 'rotationEnd')
  const [one, other] = [await pool.lease({ devices: 'busan-03' }), await pool.lease({ devices: 'busan-03' })]
  await one.release()
  await one.release()
  expect(rotations()).toBe(0)
  await other.release()
  await eventually('it has rotated', () => ends.length === 1)
  const third = await pool.lease({ devices: 'busan-03' })
  await pool.rotate('busan-03')
  expect(third.signal.reason).toMatchObject(lost)
  await third.release()
  expect(ends.map(({ trigger }) => trigger)).toEqual(['session', 'forced'])
})
