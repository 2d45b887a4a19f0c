import type { MobilePoolOptions, SessionOptions } from '@mobilepool/sdk'
import { describe, expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import { Stage } from './stage.ts'
import { exitOf, twoDevices } from './two-devices.ts'

const stage = new Stage()

const two = (options?: MobilePoolOptions) => twoDevices(stage, options)

const policies = (...list: NonNullable<SessionOptions['onIpChange']>[]) => list.map((onIpChange) => ({ onIpChange }))

describe('a session', () => {
  test.each(policies('follow', 'move', 'fail'))('$onIpChange: keeps to one device, from concurrent first requests on', async (options) => {
    const { pool, origin } = await two({ perDevice: { concurrency: 1 } })
    const session = pool.session('account-42', options)
    expect(session.device).toBeNull()
    const exits = await Promise.all(Array.from({ length: 6 }, () => exitOf(session.fetch(origin.url))))
    exits.push(await exitOf(fetch(origin.url, Object.assign({}, { dispatcher: pool.session('account-42', options) }))))
    expect(new Set(exits)).toEqual(new Set(['127.10.3.1']))
    expect(session.device).toEqual({ deviceId: 'busan-03', device: 'busan-03' })
    expect(await exitOf(pool.session('account-43', options).fetch(origin.url))).toBe('127.10.1.1')
  })

  test('follow: stays with its device over a rotation', async () => {
    const { pool, origin } = await two()
    const session = pool.session('a')
    await exitOf(session.fetch(origin.url))
    await pool.rotate('busan-03')
    expect(await exitOf(session.fetch(origin.url))).toBe('127.10.3.2')
  })

  test('move: goes to another device when the exit IP has changed, and stays there', async () => {
    const { pool, origin } = await two()
    const session = pool.session('a', { onIpChange: 'move' })
    await exitOf(session.fetch(origin.url))
    await pool.rotate('busan-03')
    const exits = new Set<string>()
    for (let i = 0; i < 4; i++) exits.add(await exitOf(session.fetch(origin.url)))
    expect(exits).toEqual(new Set(['127.10.1.1']))
  })

  test('move: leaves a device that the site has banned; follow stays and delivers the ban', async () => {
    const { pool, origin } = await two({ ban: { quarantineMs: 1_000 } })
    const [move, follow] = [pool.session('m', { onIpChange: 'move' }), pool.session('f')]
    await exitOf(move.fetch(origin.url))
    expect(await exitOf(pool.session('spare').fetch(origin.url))).toBe('127.10.1.1')
    await exitOf(follow.fetch(origin.url))
    expect(follow.exitIp ?? follow.device?.deviceId).toBe('busan-03')
    origin.ban('127.10.3.1')
    expect((await follow.fetch(origin.url)).status).toBe(403)
    expect(await exitOf(move.fetch(origin.url))).toBe('127.10.1.1')
    expect(follow.device?.deviceId).toBe('busan-03')
  })

  test.each(policies('follow', 'move'))('$onIpChange: goes to another device when its own fails', async (options) => {
    const { pool, origin, busan } = await two()
    const session = pool.session('a', options)
    await exitOf(session.fetch(origin.url))
    await busan.refuse()
    busan.dropAll()
    expect(await exitOf(session.fetch(origin.url))).toBe('127.10.1.1')
    await busan.accept()
    expect(await exitOf(session.fetch(origin.url))).toBe('127.10.1.1')
  })
})

describe('onIpChange: fail', () => {
  test('a rotation in the middle fails what waits or has no answer, lets an answer that has begun finish, and nothing gets another IP', async () => {
    const { pool, origin } = await two({ rotate: { drainMs: 300 } })
    const session = pool.session('strict', { onIpChange: 'fail' })
    expect(await exitOf(session.fetch(origin.url))).toBe('127.10.3.1')
    const hanging = session.fetch(`${origin.url}/hang`)
    const begun = await session.fetch(`${origin.url}/stream/100`)
    const ends = expect(hanging).rejects.toMatchObject({ code: 'MP_SESSION_IP_CHANGED' })
    const drains = new Promise((resolve) => pool.once('rotationStart', resolve))
    const rotation = pool.rotate('busan-03')
    await drains
    const waiting = Promise.allSettled([session.fetch(`${origin.url}/?waiting`), session.fetch(`${origin.url}/?waiting`)])
    expect(await begun.text()).toBe('firstsecond')
    await rotation
    for (const result of await waiting)
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'MP_SESSION_IP_CHANGED', deviceId: 'busan-03' } })
    await ends
    await expect(session.fetch(origin.url)).rejects.toMatchObject({
      code: 'MP_SESSION_IP_CHANGED',
      message: expect.stringMatching(/^session "strict": its exit IP .*at device busan-03 is gone$/),
    })
    expect(origin.seen.filter(({ remoteAddress }) => remoteAddress !== '127.10.3.1')).toEqual([])
    expect(origin.seen.filter(({ url }) => url === '/?waiting')).toEqual([])
    session.renew()
    expect(['127.10.3.2', '127.10.1.1']).toContain(await exitOf(session.fetch(origin.url)))
  })

  test('a device that fails is not left for another', async () => {
    const { pool, origin, busan } = await two({ eject: { consecutive: 1, baseMs: 60_000 }, queue: { timeoutMs: 200 } })
    const session = pool.session('strict', { onIpChange: 'fail' })
    await exitOf(session.fetch(origin.url))
    busan.fault = { kind: 'drop' }
    busan.dropAll()
    for (let i = 0; i < 3; i++) await expect(session.fetch(origin.url)).rejects.toMatchObject({ name: 'MobilePoolError' })
    expect(new Set(origin.seen.map(({ remoteAddress }) => remoteAddress))).toEqual(new Set(['127.10.3.1']))
  })
})

describe('the end of a session', () => {
  test('end() begins the key anew, and its device rotates with rotate.onSessionEnd', async () => {
    const { pool, origin, rotations } = await two({ rotate: { onSessionEnd: true, minIntervalMs: 0 } })
    {
      await using session = pool.session('a')
      expect(await exitOf(session.fetch(origin.url))).toBe('127.10.3.1')
    }
    await eventually('the device has rotated', () => rotations() === 1)
    const again = pool.session('a')
    expect(again.device).toBeNull()
    expect(await exitOf(again.fetch(origin.url))).toBe('127.10.1.1')
  })

  test('a TTL without a request does the same', async () => {
    const { pool, origin, rotations } = await two({ rotate: { onSessionEnd: true, minIntervalMs: 0 } })
    const options = { ttlMs: 300 }
    expect(await exitOf(pool.session('a', options).fetch(origin.url))).toBe('127.10.3.1')
    // Those whose time is over are looked for every 10 s.
    await eventually('the device has rotated', () => rotations() === 1, { timeoutMs: 20_000 })
    expect(pool.session('a', options).device).toBeNull()
    expect(await exitOf(pool.session('a', options).fetch(origin.url))).toBe('127.10.1.1')
  })
})
