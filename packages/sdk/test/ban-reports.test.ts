import { request } from 'undici'
import { describe, expect, test } from 'vitest'
import { collect, Stage } from './stage.ts'

const stage = new Stage()

async function scene(options: { rotate?: () => Promise<string>; count?: number } = {}) {
  const origin = await stage.origin()
  const [busan, seoul] = [await stage.device('busan-03'), await stage.device('seoul-01')]
  const { rotate, count } = options
  const pool = stage.open({
    devices: [
      { id: 'busan-03', url: busan.url, ...(rotate === undefined ? {} : { rotate }) },
      { id: 'seoul-01', url: seoul.url },
    ],
    balancer: 'round-robin',
    rotate: { ...(count === undefined ? {} : { onBan: { count } }), minIntervalMs: 0 },
  })
  return { origin, pool, busan, seoul, bans: collect(pool, 'ban') }
}

const get = async (pool: Awaited<ReturnType<typeof scene>>['pool'], url: string): Promise<Response> => {
  const response = await pool.fetch(url)
  await response.text()
  return response
}

test('a page that the parser calls a ban counts like an answer that is one, once a response', async () => {
  const { origin, pool, bans } = await scene()
  const page = await get(pool, origin.url)
  const result = pool.report(page, { banned: true, reason: 'empty shop window' })
  expect(result).toMatchObject({ deviceId: 'busan-03', exitIp: null, site: '127.0.0.1', until: expect.any(Number), isNews: true })
  expect((result.until ?? 0) - Date.now()).toBeLessThanOrEqual(10_000)
  expect(pool.report(page, { banned: true })).toEqual({ ...result, isNews: false })
  expect(bans).toEqual([
    {
      deviceId: 'busan-03',
      device: 'busan-03',
      site: '127.0.0.1',
      exitIp: null,
      rule: 'empty shop window',
      by: 'report',
      statusCode: 200,
      until: result.until,
      strikes: 1,
    },
  ])
  for (let i = 0; i < 3; i++) expect((await get(pool, origin.url)).headers.get('x-mobilepool-device')).toBe('seoul-01')
  expect(pool.stats().devices[0]).toMatchObject({ bans: 1, faults: 0 })
})

test('a response that the pool had counted as a ban itself is not counted again', async () => {
  const { origin, pool, bans, busan } = await scene()
  origin.ban(busan.egress)
  const refused = await pool.fetch(origin.url, { method: 'POST', body: 'x' })
  expect(refused.status).toBe(403)
  expect(pool.report(refused, { banned: true })).toMatchObject({ isNews: false, until: expect.any(Number) })
  expect(bans).toMatchObject([{ by: 'status', rule: 'status 403' }])
})

test('bans that only the parser sees add up, though every one of them looked like a proper answer', async () => {
  const { origin, pool, bans } = await scene()
  const pages = [await get(pool, origin.url), await get(pool, origin.url), await get(pool, origin.url)]
  const [first, , third] = pages as [Response, Response, Response]
  expect([first, third].map(({ headers }) => headers.get('x-mobilepool-device'))).toEqual(['busan-03', 'busan-03'])
  pool.report(first, { banned: true })
  pool.report(third, { banned: true })
  expect(bans.map(({ strikes }) => strikes)).toEqual([1, 2])
})

test('a ban is filed under the exit IP that served the page, not under the one that the device has by now', async () => {
  const { origin, pool, busan, bans } = await scene({ rotate: async () => `127.10.3.${busan.egress.endsWith('.1') ? 2 : 1}`, count: 1 })
  await pool.rotate('busan-03')
  expect(pool.stats().devices[0]?.exitIp).toBe('127.10.3.2')
  let page = await get(pool, origin.url)
  while (page.headers.get('x-mobilepool-device') !== 'busan-03') page = await get(pool, origin.url)
  busan.egress = '127.10.3.2'
  await pool.rotate('busan-03')
  expect(pool.stats().devices[0]?.exitIp).toBe('127.10.3.1')
  const rotations = collect(pool, 'rotationStart')
  expect(pool.report(page, { banned: true })).toMatchObject({ exitIp: '127.10.3.2', isNews: true })
  expect(bans).toMatchObject([{ exitIp: '127.10.3.2' }])
  expect(pool.stats().devices[0]?.quarantines).toEqual([])
  expect(rotations).toEqual([])
})

test('reports count for rotate.onBan, each response once', async () => {
  let turns = 0
  const { origin, pool } = await scene({ rotate: async () => `127.10.3.${++turns + 1}`, count: 2 })
  const pages = [await get(pool, origin.url), await get(pool, origin.url), await get(pool, origin.url)]
  const mine = pages.filter(({ headers }) => headers.get('x-mobilepool-device') === 'busan-03')
  expect(mine).toHaveLength(2)
  const [first, second] = mine as [Response, Response]
  pool.report(first, { banned: true })
  pool.report(first, { banned: true })
  expect(pool.stats().devices[0]?.state).toBe('ready')
  const ended = new Promise((resolve) => pool.once('rotationEnd', resolve))
  pool.report(second, { banned: true })
  expect(await ended).toMatchObject({ device: 'busan-03', trigger: 'ban', newIp: '127.10.3.2' })
})

test('ok ends a ban that was none: said of the page that was taken for it, or of the device', async () => {
  const { origin, pool } = await scene()
  const [page, other] = [await get(pool, origin.url), await get(pool, origin.url)]
  const next = await get(pool, origin.url)
  expect(other.headers.get('x-mobilepool-device')).toBe('seoul-01')
  pool.report(page, { banned: true })
  expect(pool.report(next, { ok: true })).toMatchObject({ isNews: false, until: expect.any(Number) })
  expect(pool.report(page, { ok: true })).toMatchObject({ isNews: true, until: null })
  pool.report('busan-03', { banned: true, site: `${origin.url}/x` })
  expect(pool.stats().devices[0]?.quarantines).toHaveLength(1)
  expect(pool.report('busan-03', { ok: true, site: '127.0.0.1' })).toMatchObject({ isNews: true, until: null })
})

test('a response of npm undici and one of got or axios tell their site, device and exit too', async () => {
  const { origin, pool } = await scene()
  const ofUndici = await request(origin.url, { dispatcher: pool.dispatcher })
  await ofUndici.body.dump()
  expect(pool.report(ofUndici, { banned: true })).toMatchObject({ deviceId: 'busan-03', site: '127.0.0.1', isNews: true })
  const headers = { 'x-mobilepool-device': 'seoul-01', 'x-mobilepool-ip': '203.0.113.9' }
  expect(pool.report({ headers, statusCode: 200, url: 'https://www.shop.com/x' }, { banned: true })).toMatchObject({
    deviceId: 'seoul-01',
    exitIp: '203.0.113.9',
    site: 'shop.com',
  })
})

test('an exit IP of before, and a device that has left, can be named', async () => {
  const { pool } = await scene()
  const result = pool.report({ deviceId: 'gone-01', exitIp: '203.0.113.7' }, { banned: true, site: 'www.shop.com' })
  expect(result).toMatchObject({ deviceId: 'gone-01', exitIp: '203.0.113.7', site: 'shop.com', isNews: true })
})

describe('a report that makes no sense is refused with what would be right:', () => {
  test.each([
    [undefined, { banned: true }, 'MP_OPTIONS', 'the target must be a response'],
    ['', { banned: true }, 'MP_OPTIONS', 'the target must be a response'],
    ['busan-03', undefined, 'MP_OPTIONS', 'say { banned: true } or { ok: true }'],
    ['busan-03', {}, 'MP_OPTIONS', 'either `banned: true` or `ok: true`'],
    ['busan-03', { banned: true, ok: true }, 'MP_OPTIONS', 'either `banned: true` or `ok: true`'],
    ['busan-03', { banned: 'yes' }, 'MP_OPTIONS', 'either `banned: true` or `ok: true`'],
    ['busan-03', { banned: true, sites: 'a.com' }, 'MP_OPTIONS', 'there is no `sites`'],
    ['busan-03', { banned: true, reason: 7 }, 'MP_OPTIONS', '`reason` must be a text'],
    ['busan-03', { banned: true }, 'MP_OPTIONS', 'give the `site`'],
    ['busan-03', { banned: true, site: 'not a host' }, 'MP_OPTIONS', '`site` must be a host name or a URL'],
    ['busan-03', { banned: true, site: '' }, 'MP_OPTIONS', '`site` must be a host name or a URL'],
    [{}, { banned: true, site: 'a.com' }, 'MP_OPTIONS', 'the target needs `deviceId`'],
    [{ deviceId: 'busan-03', exitIp: 'x' }, { banned: true, site: 'a.com' }, 'MP_OPTIONS', '`exitIp` must be an IP address'],
    [new Response(''), { banned: true }, 'MP_OPTIONS', '`x-mobilepool-device`'],
    [{ headers: {} }, { banned: true }, 'MP_OPTIONS', '`x-mobilepool-device`'],
    ['nobody', { banned: true, site: 'a.com' }, 'MP_UNKNOWN_DEVICE', 'no device "nobody"'],
  ])('%j %j', async (target, verdict, code, message) => {
    const { pool, bans } = await scene()
    const report = pool.report as (target: unknown, verdict: unknown) => unknown
    expect(() => report.call(pool, target, verdict)).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }))
    expect(bans).toEqual([])
  })
})
