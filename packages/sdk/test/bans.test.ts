import { describe, expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import type { SeenRequest } from './servers/origin.ts'
import { collect, Stage } from './stage.ts'

const stage = new Stage()

const exitOf = async (response: Response): Promise<string> => ((await response.json()) as SeenRequest).remoteAddress

describe.each([false, true])('tls %s', (tls) => {
  test('a banned request is answered by another device, and the banned exit is left out for that site', async () => {
    const origin = await stage.origin({ tls })
    const [omsk, seoul] = [await stage.device('omsk-05'), await stage.device('seoul-01')]
    origin.ban(omsk.egress)
    const pool = stage.pool([omsk, seoul])
    const bans = collect(pool, 'ban')
    for (let i = 0; i < 5; i++) expect(await exitOf(await pool.fetch(origin.url))).toBe(seoul.egress)
    expect(origin.seen.filter(({ remoteAddress }) => remoteAddress === omsk.egress)).toHaveLength(1)
    expect(bans).toMatchObject([{ device: 'omsk-05', site: '127.0.0.1', statusCode: 403, strikes: 1 }])
    const [stats] = pool.stats().devices
    expect(stats).toMatchObject({ name: 'omsk-05', state: 'ready', bans: 1, faults: 0 })
    expect(stats?.quarantines).toHaveLength(1)
    expect((stats?.quarantines[0]?.until ?? 0) - Date.now()).toBeGreaterThan(500_000)
  })
})

test('the ban is of one site: another one still gets the device', async () => {
  const [origin, other] = [await stage.origin(), await stage.origin()]
  const [omsk, seoul] = [await stage.device('omsk-05'), await stage.device('seoul-01')]
  origin.ban(omsk.egress)
  const pool = stage.pool([omsk, seoul])
  await (await pool.fetch(origin.url)).text()
  const exits = new Set<string>()
  for (let i = 0; i < 4; i++) exits.add(await exitOf(await pool.fetch(other.url.replace('127.0.0.1', 'localhost'))))
  expect(exits).toEqual(new Set([omsk.egress, seoul.egress]))
})

test('a ban answer to a POST is delivered, not repeated, and still remembered', async () => {
  const origin = await stage.origin()
  const [omsk, seoul] = [await stage.device('omsk-05'), await stage.device('seoul-01')]
  origin.ban(omsk.egress)
  const pool = stage.pool([omsk, seoul])
  const response = await pool.fetch(`${origin.url}/?id=1`, { method: 'POST', body: 'x' })
  expect([response.status, await response.text()]).toEqual([403, 'banned'])
  expect(origin.ids.get('1')).toBe(1)
  expect(pool.stats().devices[0]?.quarantines).toHaveLength(1)
})

test('429 with Retry-After lasts as long as it says', async () => {
  const origin = await stage.origin()
  const [omsk, seoul] = [await stage.device('omsk-05'), await stage.device('seoul-01')]
  origin.ban(omsk.egress, { status: 429, retryAfter: '3600' })
  const pool = stage.pool([omsk, seoul], { ban: { quarantineMs: 1_000 } })
  const [ban] = await Promise.all([
    new Promise<number>((resolve) => pool.once('ban', ({ until }) => resolve(until))),
    pool.fetch(origin.url),
  ])
  expect(ban - Date.now()).toBeGreaterThan(3_500_000)
})

test('when every device is banned the last answer is delivered, and what comes then is told until when', async () => {
  const origin = await stage.origin()
  const devices = [await stage.device('omsk-05'), await stage.device('seoul-01')]
  for (const { egress } of devices) origin.ban(egress, { retryAfter: '3600' })
  const pool = stage.pool(devices)
  const starved = collect(pool, 'starved')
  const response = await pool.fetch(origin.url)
  expect([response.status, await response.text()]).toEqual([403, 'banned'])
  const error = await pool.fetch(origin.url).catch((reason: unknown) => reason)
  expect(error).toMatchObject({
    code: 'MP_ALL_BANNED',
    until: expect.any(Number),
    retryAfterMs: expect.any(Number),
    message: expect.stringMatching(/every device that is up is quarantined for 127\.0\.0\.1 .* until 20\d\d-.*Z \(2 devices: 2 ready\)/),
  })
  expect(starved).toMatchObject([{ site: '127.0.0.1' }])
})

test('a page that refuses everybody is delivered, and its site stays open for the next pages', async () => {
  const origin = await stage.origin()
  const pool = stage.pool([await stage.device('seoul-01'), await stage.device('moscow-07')], { ban: { quarantineMs: 6_000 } })
  const refused = await pool.fetch(`${origin.url}/status/403`)
  expect([refused.status, await refused.text()]).toEqual([403, 'status 403'])
  const next = await pool.fetch(origin.url)
  expect(next.status).toBe(200)
  await next.text()
})

test('other statuses may mean a ban, or none', async () => {
  const origin = await stage.origin()
  const devices = [await stage.device('omsk-05'), await stage.device('seoul-01')]
  const teapot = stage.pool(devices, { ban: { statuses: [418] } })
  const bans = collect(teapot, 'ban')
  expect((await teapot.fetch(`${origin.url}/status/403`)).status).toBe(403)
  expect(bans).toEqual([])
  await (await teapot.fetch(`${origin.url}/status/418`)).text()
  expect(bans).toHaveLength(2)
  const none = stage.pool(devices, { ban: false })
  const seenBefore = origin.seen.length
  expect((await none.fetch(`${origin.url}/status/403`)).status).toBe(403)
  expect(origin.seen.length).toBe(seenBefore + 1)
})

test('a long ban page is not read to its end, and the next request is not held up', async () => {
  const origin = await stage.origin()
  const [omsk, seoul] = [await stage.device('omsk-05'), await stage.device('seoul-01')]
  omsk.fault = { kind: 'status', status: 403, headers: { 'content-length': '10000000' } }
  const pool = stage.pool([omsk, seoul])
  expect(await exitOf(await pool.fetch(origin.url))).toBe(seoul.egress)
  expect(pool.stats().devices.map(({ inFlight }) => inFlight)).toEqual([0, 0])
})

test('a ban page that never ends does not keep its device: another answers at once, and the device is free again', async () => {
  const origin = await stage.origin()
  const [omsk, seoul] = [await stage.device('omsk-05'), await stage.device('seoul-01')]
  origin.ban(omsk.egress)
  omsk.fault = { kind: 'hang_body' }
  const pool = stage.pool([omsk, seoul])
  expect(await exitOf(await pool.fetch(origin.url))).toBe(seoul.egress)
  await eventually('the device is free', () => pool.stats().devices.every(({ inFlight }) => inFlight === 0))
})

test('a carrier that gives back an exit IP that is banned: that is known at once, and the site is not asked again from there', async () => {
  const origin = await stage.origin()
  const omsk = await stage.device('omsk-05')
  const course = ['127.10.5.1', '127.10.5.2', '127.10.5.1']
  const rotate = async (): Promise<string> => {
    omsk.egress = course.shift() ?? ''
    return omsk.egress
  }
  const pool = stage.open({ devices: [{ id: 'omsk-05', url: omsk.url, rotate }] })
  origin.ban('127.10.5.1', { retryAfter: '3600' })
  await pool.rotate('omsk-05')
  expect((await pool.fetch(origin.url)).status).toBe(403)
  await pool.rotate('omsk-05')
  expect(await exitOf(await pool.fetch(origin.url))).toBe('127.10.5.2')
  await pool.rotate('omsk-05')
  await expect(pool.fetch(origin.url)).rejects.toMatchObject({ code: 'MP_ALL_BANNED', until: expect.any(Number) })
  expect(origin.seen.map(({ remoteAddress }) => remoteAddress)).toEqual(['127.10.5.1', '127.10.5.2'])
})
