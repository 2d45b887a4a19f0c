import type { ServerResponse } from 'node:http'
import { MobilePool, type MobilePoolOptions, type ViewOptions } from '@mobilepool/sdk'
import { cacheStores, request } from 'undici'
import { describe, expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import type { SiteAnswer } from './servers/site.ts'
import { Stage } from './stage.ts'

const stage = new Stage()

const FRESH = { 'cache-control': 'max-age=60' }
const numbered = (headers: Record<string, string | string[]> = FRESH, status = 200): SiteAnswer => {
  let count = 0
  return (_from, response) => response.writeHead(status, headers).end(`answer ${++count}`)
}

async function scene(answer: SiteAnswer, options: Partial<MobilePoolOptions> & { tls?: boolean } = {}) {
  const { tls = false, ...poolOptions } = options
  const [seoul, moscow] = [await stage.device('seoul-01'), await stage.device('moscow-07')]
  const site = await stage.site(answer, { tls })
  const pool = stage.pool([seoul, moscow], { cache: true, ...poolOptions })
  const text = async (init: RequestInit & { view?: ViewOptions } = {}, path = '/') => (await pool.fetch(site.url + path, init)).text()
  return { pool, site, seoul, moscow, text }
}

describe.each([false, true])('tls %s', (tls) => {
  test('a cached answer costs no device: of fetch, of request, with its headers', async () => {
    const { pool, site } = await scene(numbered(), { tls })
    const first = await pool.fetch(site.url)
    expect([await first.text(), first.headers.get('x-mobilepool-attempts')]).toEqual(['answer 1', '1'])
    const second = await pool.fetch(site.url)
    expect([await second.text(), second.headers.get('x-mobilepool-attempts')]).toEqual(['answer 1', '0'])
    expect(second.headers.get('age')).toMatch(/^\d+$/)
    expect(second.headers.get('x-mobilepool-device')).toBe('seoul-01')
    const third = await request(`${site.url}/`, { dispatcher: pool.dispatcher })
    expect([third.statusCode, await third.body.text()]).toEqual([200, 'answer 1'])
    const fourth = await fetch(site.url, { dispatcher: pool })
    expect(await fourth.text()).toBe('answer 1')
    expect([site.exits.length, pool.stats().requests.started]).toEqual([1, 1])
    expect(pool.stats().cache).toEqual({ answered: 3, revalidated: 0 })
  })
})

test('nothing is cached unless it is asked for, nor by another pool', async () => {
  const { text, pool, site, seoul } = await scene(numbered(), { cache: false })
  expect([await text(), await text()]).toEqual(['answer 1', 'answer 2'])
  const [one, other] = [stage.pool([seoul], { cache: true }), stage.pool([seoul], { cache: true })]
  for (const mine of [one, other, one, other]) await (await mine.fetch(site.url)).text()
  expect(site.exits).toHaveLength(4)
  expect(pool.stats().requests.started).toBe(2)
  expect([pool.stats().cache, one.stats().cache]).toEqual([null, { answered: 1, revalidated: 0 }])
})

test.each<[string, Record<string, string | string[]>, number]>([
  ['that say nothing', {}, 200],
  ['no-store', { 'cache-control': 'no-store' }, 200],
  ['private', { 'cache-control': 'private, max-age=60' }, 200],
  ['that set a cookie', { ...FRESH, 'set-cookie': 'id=1' }, 200],
  ['that are bans', FRESH, 403],
  ['that are a temporary failure', FRESH, 503],
])('answers %s are not cached', async (_what, headers, status) => {
  const { text } = await scene(numbered(headers, status), { ban: { statuses: [403], quarantineMs: 1 }, retry: false })
  expect([await text(), await text({ view: { priority: 1 } })]).toEqual(['answer 1', 'answer 2'])
})

test('a ban page inside a 200 is not cached, though the site says that it may be', async () => {
  const { text, site } = await scene(numbered(), { ban: { body: 'answer', quarantineMs: 1 }, retry: false })
  expect([await text(), await text()]).toEqual(['answer 1', 'answer 2'])
  expect(site.exits).toHaveLength(2)
})

test.each<[string, RequestInit & { view?: ViewOptions }]>([
  ['sessions', { view: { session: 'account-1' } }],
  ['views that choose devices', { view: { devices: ['seoul-01', 'moscow-07'] } }],
  ['views that leave devices out', { view: { exclude: 'kazan-02' } }],
  ['views with a key', { view: { hashKey: 'account-1' } }],
  ['views that want ban pages', { view: { ban: false } }],
  ['views that say so', { view: { cache: false } }],
  ['requests with a cookie', { headers: { Cookie: 'id=1' } }],
  ['requests with credentials', { headers: { Authorization: 'Bearer x' } }],
])('%s are neither answered from the cache nor kept in it', async (_who, init) => {
  const { text } = await scene(numbered({ 'cache-control': 'public, max-age=60' }))
  expect(await text(init)).toBe('answer 1')
  expect(await text()).toBe('answer 2')
  expect(await text(init)).toBe('answer 3')
  expect(await text()).toBe('answer 2')
})

test('inside pool.run the scope counts, and session.fetch bypasses', async () => {
  const { pool, site, text } = await scene(numbered())
  expect(await text()).toBe('answer 1')
  expect(await pool.run({ session: 'a' }, () => text())).toBe('answer 2')
  expect(await (await pool.session('b').fetch(site.url)).text()).toBe('answer 3')
  expect(await pool.run({ priority: 5 }, () => text())).toBe('answer 1')
})

test('a POST makes the pool forget the answers of its URL, also one of a session', async () => {
  const { text } = await scene(numbered())
  expect([await text(), await text()]).toEqual(['answer 1', 'answer 1'])
  expect(await text({ method: 'POST', body: 'x' })).toBe('answer 2')
  expect([await text(), await text()]).toEqual(['answer 3', 'answer 3'])
  expect(await text({ method: 'POST', body: 'x', view: { session: 'a' } })).toBe('answer 4')
  expect(await text()).toBe('answer 5')
})

test('what pool.report calls a ban is forgotten', async () => {
  const { pool, site, text } = await scene(numbered(), { ban: { quarantineMs: 1 } })
  const page = await pool.fetch(site.url)
  expect(await page.text()).toBe('answer 1')
  pool.report(page, { banned: true })
  expect(await text()).toBe('answer 2')
})

describe('a stale answer', () => {
  const revalidated = (seen: { etag: string | undefined; rawHeaders: string[] }[]): SiteAnswer => {
    return (_from, response, { headers, rawHeaders }) => {
      seen.push({ etag: headers['if-none-match'], rawHeaders })
      const head = { etag: '"v1"', 'cache-control': 'no-cache' }
      if (headers['if-none-match'] === '"v1"') response.writeHead(304, { etag: '"v1"' }).end()
      else response.writeHead(200, head).end('body 1')
    }
  }

  test('is asked for again through a device by its ETag, and its body comes from the cache', async () => {
    const seen: { etag: string | undefined; rawHeaders: string[] }[] = []
    const { pool, site, seoul, moscow } = await scene(revalidated(seen), { tls: true })
    for (let i = 0; i < 3; i++) {
      const response = await request(`${site.url}/`, { dispatcher: pool.dispatcher, headers: { 'X-Odd-Case': 'y' } })
      expect([response.statusCode, await response.body.text()]).toEqual([200, 'body 1'])
    }
    expect(seen.map(({ etag }) => etag)).toEqual([undefined, '"v1"', '"v1"'])
    expect(site.exits).toEqual([seoul.egress, moscow.egress, seoul.egress])
    // The headers on the wire are the caller's, as he wrote them.
    for (const { rawHeaders } of seen) expect(rawHeaders).toContain('X-Odd-Case')
    await eventually('all devices are free', () => pool.stats().devices.every(({ inFlight }) => inFlight === 0))
    expect(pool.stats().cache).toEqual({ answered: 0, revalidated: 2 })
  })

  test('whose revalidation hangs can be aborted, and holds no device afterwards', async () => {
    let isHanging: boolean = false
    const { pool, site } = await scene((_from, response) => {
      if (!isHanging) response.writeHead(200, { etag: '"v1"', 'cache-control': 'no-cache' }).end('body')
    })
    await (await request(`${site.url}/`, { dispatcher: pool.dispatcher })).body.text()
    isHanging = true
    await expect(request(`${site.url}/`, { dispatcher: pool.dispatcher, signal: AbortSignal.timeout(100) })).rejects.toMatchObject({
      name: 'TimeoutError',
    })
    await eventually('all devices are free', () => pool.stats().devices.every(({ inFlight }) => inFlight === 0))
  })
})

test('an answer that breaks off is not cached, and a long one passes whole', async () => {
  let count = 0
  const { pool, site, text } = await scene(
    (_from, response: ServerResponse) => {
      response.writeHead(200, { ...FRESH, 'content-length': '100000' })
      if (++count === 1) response.write('x'.repeat(50_000), () => response.destroy())
      else response.end('x'.repeat(100_000))
    },
    { cache: { maxEntryBytes: 1_000 } },
  )
  await expect(text()).rejects.toThrow()
  expect([(await text()).length, (await text()).length]).toEqual([100_000, 100_000])
  expect([site.exits.length, pool.stats().requests.started]).toEqual([3, 3])
})

test('a store of npm undici fits, and type private caches what is for one user', async () => {
  const { text, site } = await scene(numbered({ 'cache-control': 'private, max-age=60' }), {
    cache: { type: 'private', store: new cacheStores.MemoryCacheStore() },
  })
  expect([await text({ headers: { cookie: 'id=1' } }), await text({ headers: { cookie: 'id=1' } })]).toEqual(['answer 1', 'answer 1'])
  expect(site.exits).toHaveLength(1)
})

test('a closed pool answers nothing, not even from its cache', async () => {
  const { pool, text } = await scene(numbered())
  await text()
  await pool.close()
  await expect(text()).rejects.toMatchObject({ code: 'MP_CLOSED' })
})

test.each([
  [{ cache: 'yes' }, 'cache: must be true, false or an object'],
  [{ cache: { store: {} } }, 'cache.store: must have the methods get, createWriteStream and delete'],
  [{ cache: { methods: ['POST'] } }, "cache.methods[0]: must be 'GET', 'HEAD', 'OPTIONS' or 'TRACE'"],
  [{ cache: { maxSize: 1 } }, 'cache.maxSize: there is no such option'],
  [{ cache: { cacheByDefaultMs: 0 } }, 'cache.cacheByDefaultMs: must be at least 1'],
])('%j is refused: %s', (options, message) => {
  expect(() => new MobilePool({ devices: [], ...options } as MobilePoolOptions)).toThrow(message)
})
