import { MobilePoolError } from '@mobilepool/sdk'
import { afterEach, describe, expect, test } from 'vitest'
import { WHOLE_POOL } from '../src/clients/scope.ts'
import { parseOptions } from '../src/options/parse-options.ts'
import { assemblePool, type PoolParts } from '../src/pool-parts.ts'
import { curl, seenIn } from './curl.ts'
import { eventually } from './eventually.ts'
import { openTunnel } from './open-tunnel.ts'
import { collect, Stage } from './stage.ts'

const stage = new Stage()
const busy = (pool: { stats(): { devices: readonly { inFlight: number }[] } }): number =>
  pool.stats().devices.reduce((sum, { inFlight }) => sum + inFlight, 0)

describe.each([false, true])('curl through pool.listen() (https: %s)', (tls) => {
  test('is answered through the devices in turn, by the credentials in the URL', async () => {
    const origin = await stage.origin({ tls })
    const pool = stage.pool([await stage.device('seoul-01', { auth: 'us:er' }), await stage.device('busan-03')])
    const local = await pool.listen()
    expect(local.url).toBe(`http://mobilepool:${local.password}@127.0.0.1:${local.port}`)
    const answers = [await curl('-x', local.url, `${origin.url}/a?b=1`), await curl('-x', local.url, `${origin.url}/a?b=2`)]
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    expect(answers.map((answer) => seenIn(answer).remoteAddress)).toEqual(['127.10.1.1', '127.10.3.1'])
    expect(answers.map((answer) => seenIn(answer).url)).toEqual(['/a?b=1', '/a?b=2'])
    expect(answers.map(({ head }) => head).join('')).toMatch(/^x-mobilepool-device: seoul-01\r$/m)
    expect(JSON.stringify(origin.seen)).not.toMatch(/proxy-|mobilepool/i)
    await eventually('the devices are free', () => busy(pool) === 0)
  })

  test.each([
    ['a wrong password', 'mobilepool:wrong'],
    ['a wrong name', 'nobody:right'],
    ['none at all', null],
  ])('is refused with 407 for %s', async (_case, user) => {
    const origin = await stage.origin({ tls })
    const pool = stage.pool([await stage.device('seoul-01')])
    const { port } = await pool.listen({ password: 'right' })
    const answer = await curl('-x', `http://127.0.0.1:${port}`, ...(user === null ? [] : ['--proxy-user', user]), origin.url)
    expect(tls ? answer.connectStatus : answer.status).toBe(407)
    expect(answer.head).toMatch(/^proxy-authenticate: Basic realm="MobilePool"/im)
    expect(origin.seen).toEqual([])
    expect(pool.stats().requests.started).toBe(0)
  })

  test('gets its answer from another device when one is dead', async () => {
    const origin = await stage.origin({ tls })
    const [omsk, seoul] = [await stage.device('omsk-05'), await stage.device('seoul-01')]
    await omsk.refuse()
    const pool = stage.pool([omsk, seoul])
    const retries = collect(pool, 'retry')
    const local = await pool.listen()
    for (let count = 0; count < 3; count++) {
      const answer = await curl('-x', local.url, '-d', `n=${count}`, `${origin.url}/form`)
      expect(seenIn(answer)).toMatchObject({ remoteAddress: '127.10.1.1', method: 'POST', body: `n=${count}` })
    }
    expect(retries.length).toBeGreaterThan(0)
    expect(origin.seen).toHaveLength(3)
  })

  test('is told 503 with Retry-After when there is no device', async () => {
    const pool = stage.open({ devices: [] })
    const local = await pool.listen()
    const answer = await curl('-x', local.url, `${tls ? 'https' : 'http'}://127.0.0.1:1/`)
    expect(tls ? answer.connectStatus : answer.status).toBe(503)
    expect(answer.head).toMatch(/^retry-after: 5\r$/im)
    expect(answer.head).toMatch(/^x-mobilepool-error: no_device\r$/im)
  })

  test('stays on one device by a session in the user name', async () => {
    const origin = await stage.origin({ tls })
    const pool = stage.pool([await stage.device('seoul-01'), await stage.device('busan-03')])
    const { port, password } = await pool.listen({ username: 'ann' })
    const addresses: string[] = []
    for (const user of ['ann-session-one', 'ann-session-two', 'ann-session-two', 'ann-session-one']) {
      addresses.push(seenIn(await curl('-x', `http://127.0.0.1:${port}`, '--proxy-user', `${user}:${password}`, origin.url)).remoteAddress)
    }
    expect(addresses).toEqual(['127.10.1.1', '127.10.3.1', '127.10.3.1', '127.10.1.1'])
    expect(pool.session('two').device).toMatchObject({ device: 'busan-03' })
  })

  test('is kept to the devices of the listener’s view', async () => {
    const origin = await stage.origin({ tls })
    const pool = stage.pool([await stage.device('seoul-01'), await stage.device('busan-03')])
    const local = await pool.listen({ view: { devices: 'busan-03' } })
    for (let count = 0; count < 3; count++) expect(seenIn(await curl('-x', local.url, origin.url)).remoteAddress).toBe('127.10.3.1')
  })
})

describe('plain http through pool.listen()', () => {
  test('is tried elsewhere after a ban, and the ban is remembered', async () => {
    const origin = await stage.origin()
    const pool = stage.pool([await stage.device('seoul-01'), await stage.device('busan-03')])
    origin.ban('127.10.1.1')
    const local = await pool.listen()
    const answer = await curl('-x', local.url, origin.url)
    expect(seenIn(answer).remoteAddress).toBe('127.10.3.1')
    expect(answer.head).toMatch(/^x-mobilepool-attempts: 2\r$/m)
    expect(pool.stats().quarantines).toBe(1)
  })

  test('is told when the first device may be used again, once all are banned', async () => {
    const origin = await stage.origin()
    const pool = stage.pool([await stage.device('seoul-01')])
    origin.ban('127.10.1.1', { retryAfter: '120' })
    const local = await pool.listen()
    expect(await curl('-x', local.url, origin.url)).toMatchObject({ status: 403, body: 'banned' })
    const answer = await curl('-x', local.url, origin.url)
    expect(answer.status).toBe(503)
    expect(answer.head).toMatch(/^x-mobilepool-error: all_banned\r$/im)
    const waitS = Number(/^retry-after: (\d+)\r$/im.exec(answer.head)?.[1])
    expect(waitS).toBeGreaterThan(60)
  })
})

describe('users of a shared local proxy', () => {
  const assembled: PoolParts[] = []
  afterEach(async () => {
    for (const parts of assembled.splice(0)) await parts.destroy(new Error('the test is over'))
  })

  function assemble(devices: readonly { readonly id: string; readonly url: string }[]): PoolParts {
    const parts = assemblePool(parseOptions({ devices: devices.map(({ id, url }) => ({ id, url })) }), { pool: {}, emit: () => {} })
    parts.start()
    assembled.push(parts)
    return parts
  }

  const accepts = (name: string) => ({ ...WHOLE_POOL, accepts: (device: { id: string }) => device.id === name })

  test('have scopes of their own on one port, which closes with the last of them', async () => {
    const origin = await stage.origin()
    const { localProxies } = assemble([await stage.device('seoul-01'), await stage.device('busan-03')])
    const [ann, bob] = await Promise.all([localProxies.grant(accepts('seoul-01')), localProxies.grant(accepts('busan-03'))])
    expect(ann.port).toBe(bob.port)
    expect(seenIn(await curl('-x', ann.url, origin.url)).remoteAddress).toBe('127.10.1.1')
    expect(seenIn(await curl('-x', bob.url, origin.url)).remoteAddress).toBe('127.10.3.1')
    const swapped = `http://${ann.username}:${bob.password}@127.0.0.1:${ann.port}`
    expect((await curl('-x', swapped, origin.url)).status).toBe(407)
    await ann.revoke()
    expect((await curl('-x', ann.url, origin.url)).status).toBe(407)
    expect((await curl('-x', bob.url, origin.url)).status).toBe(200)
    await bob.revoke()
    // 7: could not connect.
    expect((await curl('-x', bob.url, origin.url)).exit).toBe(7)
    const carol = await localProxies.grant(WHOLE_POOL)
    expect((await curl('-x', carol.url, origin.url)).status).toBe(200)
  })

  test('lose what they have under way when they are revoked, and only they', async () => {
    const origin = await stage.origin()
    const { localProxies, engine } = assemble([await stage.device('seoul-01')])
    const [ann, bob] = [await localProxies.grant(WHOLE_POOL), await localProxies.grant(WHOLE_POOL)]
    const tunnels = await Promise.all([ann, bob].map(({ url }) => openTunnel(url, origin.port)))
    const hanging = curl('-x', ann.url, `${origin.url}/hang`)
    await eventually('all are under way', () => engine.inFlight === 3 && origin.seen.length === 1)
    await ann.revoke()
    expect(await hanging).toMatchObject({ status: 595 })
    await eventually('only the other tunnel is left', () => tunnels[0]?.destroyed === true && engine.inFlight === 1)
    expect(tunnels[1]?.destroyed).toBe(false)
    await bob.revoke()
    await eventually('nothing is left', () => tunnels[1]?.destroyed === true && engine.inFlight === 0)
  })
})

test.each([
  [{ port: 65_536 }, /port: must be at most 65535/],
  [{ host: '0.0.0.0' }, /password: choose one, since other machines reach 0\.0\.0\.0/],
  [{ host: 'example.test' }, /password: choose one/],
  [{ username: 'a:b' }, /username: must have 1 to 255 characters, no colon/],
  [{ password: '' }, /password: must have 1 to 255 characters/],
  [{ pasword: 'x' }, /pasword: there is no such option/],
  [{ view: { devcies: 'a' } }, /devcies: there is no such option/],
])('listen(%j) is told what would be right', async (options, message) => {
  const pool = stage.open({ devices: [] })
  const error: unknown = await pool.listen(options as object).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(MobilePoolError)
  expect(error).toMatchObject({ code: 'MP_OPTIONS', message: expect.stringMatching(message) })
})

test('a port that is taken is said to be', async () => {
  const pool = stage.open({ devices: [] })
  const { port } = await pool.listen()
  await expect(pool.listen({ port })).rejects.toMatchObject({ code: 'MP_LISTEN', errno: 'EADDRINUSE' })
})
