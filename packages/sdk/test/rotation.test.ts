import http from 'node:http'
import type { AddressInfo } from 'node:net'
import type { MobilePoolOptions, RotationContext } from '@mobilepool/sdk'
import { describe, expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import type { SeenRequest } from './servers/origin.ts'
import { collect, Stage } from './stage.ts'

const stage = new Stage()

const exitOf = async (response: Response): Promise<string> => ((await response.json()) as SeenRequest).remoteAddress

/** An echo as hubs have it: the address that it sees. */
const startEcho = () => stage.site((from, response) => response.end(JSON.stringify({ ip: from })))

/** A pool of omsk-05 alone, which gets the next address of its carrier, 127.10.5.2 and on, each time it rotates. */
async function omskAlone(rotate: NonNullable<MobilePoolOptions['rotate']>) {
  const [echo, omsk, origin] = [await startEcho(), await stage.device('omsk-05'), await stage.origin()]
  let turns = 0
  const turn = async (): Promise<void> => {
    turns++
    omsk.egress = `127.10.5.${turns + 1}`
  }
  const pool = stage.open({ devices: [{ id: omsk.id, url: omsk.url, rotate: turn }], exitIpUrl: echo.url, rotate })
  return { pool, origin, ends: collect(pool, 'rotationEnd') }
}

describe('a listed device', () => {
  test('has changed its IP when an echo saw another one', async () => {
    const echo = await startEcho()
    const origin = await stage.origin({ tls: true })
    const busan = await stage.device('busan-03')
    const contexts: RotationContext[] = []
    const rotate = async (context: RotationContext): Promise<void> => {
      contexts.push(context)
      busan.egress = '127.10.3.2'
    }
    const pool = stage.open({ devices: [{ id: 'busan-03', url: busan.url, rotate }], exitIpUrl: echo.url })
    const [starts, ends, changes] = [collect(pool, 'rotationStart'), collect(pool, 'rotationEnd'), collect(pool, 'ipChanged')]
    expect(await exitOf(await pool.fetch(origin.url))).toBe('127.10.3.1')
    const result = await pool.rotate('busan-03')
    expect(result).toMatchObject({ outcome: 'changed', oldIp: '127.10.3.1', newIp: '127.10.3.2', trigger: 'forced', device: 'busan-03' })
    expect(result.durationMs).toBeGreaterThanOrEqual(0)
    expect(contexts).toMatchObject([{ deviceId: 'busan-03', trigger: 'forced' }])
    expect([starts.length, ends.length, changes.length]).toEqual([1, 1, 0])
    expect(pool.stats().devices[0]).toMatchObject({
      exitIp: '127.10.3.2',
      generation: 1,
      rotations: { changed: 1, unchanged: 0, failed: 0 },
    })
    const response = await pool.fetch(origin.url)
    expect(response.headers.get('x-mobilepool-ip')).toBe('127.10.3.2')
    expect(await exitOf(response)).toBe('127.10.3.2')
  })

  test('has not, when the echo saw the same one again, whatever the rotation URL answered', async () => {
    const echo = await startEcho()
    const box = http.createServer((_request, response) => response.end('{"success":true}'))
    await new Promise<void>((resolve) => box.listen(0, '127.0.0.1', resolve))
    const busan = await stage.device('busan-03')
    const rotate = `http://127.0.0.1:${(box.address() as AddressInfo).port}/changeip?token=s3cret`
    const pool = stage.open({ devices: [{ id: 'busan-03', url: busan.url, rotate }], exitIpUrl: echo.url, rotate: { verifyMs: 0 } })
    expect(await pool.rotate('busan-03')).toMatchObject({ outcome: 'unchanged', oldIp: '127.10.3.1', newIp: '127.10.3.1' })
    await new Promise((resolve) => box.close(resolve))
    const failed = await pool.rotate('busan-03')
    expect(failed).toMatchObject({ outcome: 'failed', reason: 'device_unreachable', newIp: null })
    expect(JSON.stringify(failed)).not.toContain('s3cret')
    expect(pool.stats().devices[0]).toMatchObject({ state: 'ready', rotations: { unchanged: 1, failed: 1 } })
  })

  test('without an echo nothing proves a change, so none is reported', async () => {
    const busan = await stage.device('busan-03')
    const pool = stage.open({ devices: [{ id: 'busan-03', url: busan.url, rotate: async () => {} }] })
    expect(await pool.rotate('busan-03')).toMatchObject({
      outcome: 'failed',
      reason: 'probe_failed',
      detail: expect.stringContaining('exitIpUrl'),
    })
  })

  test.each([
    [401, 'auth_failed'],
    [429, 'too_soon'],
    [500, 'device_unreachable'],
  ])('a rotation URL that answers %i is a rotation that failed: %s', async (status, reason) => {
    const box = http.createServer((_request, response) => response.writeHead(status).end())
    await new Promise<void>((resolve) => box.listen(0, '127.0.0.1', resolve))
    const busan = await stage.device('busan-03')
    const pool = stage.open({
      devices: [{ id: 'busan-03', url: busan.url, rotate: `http://127.0.0.1:${(box.address() as AddressInfo).port}/` }],
    })
    expect(await pool.rotate('busan-03')).toMatchObject({ outcome: 'failed', reason })
    await new Promise((resolve) => box.close(resolve))
  })

  test('that has no way to rotate, or does not exist, is an error', async () => {
    const pool = stage.pool([await stage.device('seoul-01')])
    await expect(pool.rotate('seoul-01')).rejects.toMatchObject({ code: 'MP_ROTATION_UNSUPPORTED' })
    await expect(pool.rotate('nobody')).rejects.toMatchObject({ code: 'MP_UNKNOWN_DEVICE', message: 'the pool has no device "nobody"' })
  })
})

describe('during a rotation', () => {
  test('requests under way finish, idle sockets close at once, new requests wait and use new sockets and TLS sessions', async () => {
    const origin = await stage.origin({ tls: true })
    const busan = await stage.device('busan-03')
    let finish = (): void => {}
    let called = false
    const rotate = () =>
      new Promise<string>((resolve) => {
        called = true
        finish = () => resolve('127.10.3.2')
      })
    const pool = stage.open({ devices: [{ id: 'busan-03', url: busan.url, rotate }] })
    await (await pool.fetch(origin.url)).text()
    // Its end is the test's to say: on a loaded machine any time would be over before the idle socket is looked at.
    let end = (): void => {}
    const site = await stage.site(
      (_from, response) => {
        response.write('first')
        end = () => response.end('second')
      },
      { tls: true },
    )
    const slow = await pool.fetch(site.url)
    await (await pool.fetch(origin.url)).text()
    expect(busan.sockets.size).toBe(2)

    const rotating = pool.rotate('busan-03')
    const joined = pool.rotate('busan-03')
    await eventually('the idle socket is closed', () => busan.sockets.size === 1)
    expect(called).toBe(false)
    expect(pool.stats().devices[0]?.state).toBe('rotating')
    const waiting = pool.fetch(origin.url)
    end()
    expect(await slow.text()).toBe('firstsecond')
    await eventually('the device is turned once it is empty', () => called)
    // Our ends are closed by now; that the other ends notice takes a turn or two.
    await eventually('the device sees itself empty', () => busan.sockets.size === 0)
    expect(pool.stats().requests.queued).toBe(1)
    const connectionsBefore = busan.counts.connections
    finish()
    expect(await joined).toEqual(await rotating)
    expect((await waiting).status).toBe(200)
    expect(busan.counts.connections).toBe(connectionsBefore + 1)
  })

  test('what does not finish within rotate.drainMs is cut: a GET goes on elsewhere, a body ends with MP_DEVICE_ROTATED', async () => {
    const origin = await stage.origin()
    const [busan, seoul] = [await stage.device('busan-03'), await stage.device('seoul-01')]
    const pool = stage.open({
      devices: [
        { id: 'busan-03', url: busan.url, rotate: async () => '127.10.3.2' },
        { id: 'seoul-01', url: seoul.url },
      ],
      balancer: 'round-robin',
      rotate: { drainMs: 100 },
    })
    const reading = await pool.fetch(`${origin.url}/stream/5000`)
    await (await pool.fetch(origin.url)).text()
    busan.fault = { kind: 'hang_header' }
    const hanging = pool.fetch(origin.url)
    await eventually('the request hangs at the device', () => busan.counts.requests === 2)
    await pool.rotate('busan-03')
    expect(await exitOf(await hanging)).toBe(seoul.egress)
    await expect(reading.text()).rejects.toMatchObject({ cause: { code: 'MP_DEVICE_ROTATED', phase: 'body' } })
    expect(pool.stats().devices[0]?.faults).toBe(0)
  })
})

describe('triggers', () => {
  test('bans of distinct requests rotate the device, once, and no request fails for it', async () => {
    const echo = await startEcho()
    const origin = await stage.origin()
    const [omsk, seoul] = [await stage.device('omsk-05'), await stage.device('seoul-01')]
    origin.ban(omsk.egress)
    let turns = 0
    const rotate = async (): Promise<void> => {
      turns++
      omsk.egress = `127.10.5.${turns + 1}`
    }
    const pool = stage.open({
      devices: [
        { id: 'omsk-05', url: omsk.url, rotate },
        { id: 'seoul-01', url: seoul.url },
      ],
      exitIpUrl: echo.url,
      rotate: { onBan: { count: 3 } },
    })
    const ended = new Promise((resolve) => pool.once('rotationEnd', resolve))
    const all = await Promise.all(Array.from({ length: 10 }, () => pool.fetch(origin.url)))
    expect(all.map(({ status }) => status)).toEqual(Array(10).fill(200))
    await Promise.all(all.map((response) => response.text()))
    expect(await ended).toMatchObject({ device: 'omsk-05', trigger: 'ban', outcome: 'changed' })
    expect(turns).toBe(1)
    await (await pool.fetch(origin.url)).text()
    expect(pool.stats().devices[0]?.quarantines).toEqual([])
  })

  test('afterRequests: the device rotates when so many requests have used its exit IP, and begins to count anew', async () => {
    const { pool, origin, ends } = await omskAlone({ afterRequests: 3, minIntervalMs: 0 })
    const exits: string[] = []
    for (let i = 1; i <= 7; i++) {
      exits.push(await exitOf(await pool.fetch(origin.url)))
      await eventually('it has rotated where it should', () => ends.length === Math.floor(i / 3))
    }
    expect(exits).toEqual([1, 1, 1, 2, 2, 2, 3].map((last) => `127.10.5.${last}`))
    expect(ends.map(({ trigger, outcome }) => [trigger, outcome])).toEqual(Array(2).fill(['requests', 'changed']))
  })

  test('everyMs: the device rotates again and again, with no request asking for it', async () => {
    const { pool, origin, ends } = await omskAlone({ everyMs: 1_000 })
    expect(await exitOf(await pool.fetch(origin.url))).toBe('127.10.5.1')
    await eventually('it has rotated twice', () => ends.length === 2)
    expect(ends).toMatchObject([
      { trigger: 'interval', outcome: 'changed', newIp: '127.10.5.2' },
      { trigger: 'interval', outcome: 'changed', oldIp: '127.10.5.2', newIp: '127.10.5.3' },
    ])
  })

  test('when no device is left for a site one rotates, and the request waits for it', async () => {
    const origin = await stage.origin()
    const omsk = await stage.device('omsk-05')
    origin.ban(omsk.egress)
    const rotate = async (): Promise<string> => {
      omsk.egress = '127.10.5.2'
      return omsk.egress
    }
    const pool = stage.open({ devices: [{ id: 'omsk-05', url: omsk.url, rotate }], rotate: { onBan: { count: 100 } } })
    const response = await pool.fetch(origin.url)
    expect([response.status, await exitOf(response)]).toEqual([200, '127.10.5.2'])
    expect(pool.stats().devices[0]?.bans).toBe(1)
  })

  test('a new exit IP that is itself quarantined for the site whose request waits is known at once, and the device rotates again', async () => {
    const origin = await stage.origin({ tls: true })
    const omsk = await stage.device('omsk-05')
    origin.ban('127.10.5.1')
    // What the carrier has in its pool, in the order in which it gives it: the second one this site has banned before.
    const carrier = ['127.10.5.2', '127.10.5.3']
    const rotate = async (): Promise<string> => {
      omsk.egress = carrier.shift() ?? omsk.egress
      return omsk.egress
    }
    const echo = await startEcho()
    const pool = stage.open({
      devices: [{ id: 'omsk-05', url: omsk.url, rotate }],
      exitIpUrl: echo.url,
      rotate: { onBan: { count: 1 }, minIntervalMs: 600_000, minSiteIntervalMs: 0 },
    })
    const ends = collect(pool, 'rotationEnd')
    // Three times: a ban that lasts longer than requests wait. For the end of a short one they would wait.
    for (let i = 0; i < 3; i++) pool.report({ deviceId: 'omsk-05', exitIp: '127.10.5.2' }, { banned: true, site: origin.url })
    const response = await pool.fetch(origin.url)
    expect([response.status, await exitOf(response)]).toEqual([200, '127.10.5.3'])
    expect(origin.seen.map(({ remoteAddress }) => remoteAddress)).toEqual(['127.10.5.1', '127.10.5.3'])
    expect(ends.map(({ trigger, outcome, newIp }) => [trigger, outcome, newIp])).toEqual([
      ['ban', 'changed', '127.10.5.2'],
      ['ban', 'changed', '127.10.5.3'],
    ])
    expect(pool.stats().requests).toMatchObject({ started: 1, answered: 1, failed: 0 })
  })

  test('a rotation that does not help is not repeated without end: the answer is delivered', async () => {
    const origin = await stage.origin()
    const omsk = await stage.device('omsk-05')
    origin.ban(omsk.egress)
    let turns = 0
    const rotate = async (): Promise<string> => {
      turns++
      return omsk.egress
    }
    const pool = stage.open({
      devices: [{ id: 'omsk-05', url: omsk.url, rotate }],
      rotate: { onBan: { count: 1 } },
      ban: { quarantineMs: 600_000 },
    })
    const response = await pool.fetch(origin.url, { method: 'POST', body: 'x' })
    expect(response.status).toBe(403)
    await response.text()
    await eventually('it has rotated', () => pool.stats().devices[0]?.rotations.failed === 1)
    expect(turns).toBe(1)
  })

  test('a trigger that cannot rotate is an event, and the request goes its way', async () => {
    const origin = await stage.origin()
    const [omsk, seoul] = [await stage.device('omsk-05'), await stage.device('seoul-01')]
    origin.ban(omsk.egress)
    const pool = stage.pool([omsk, seoul], { rotate: { onBan: { count: 1 } } })
    const errors = collect(pool, 'rotationError')
    expect((await pool.fetch(origin.url)).status).toBe(200)
    await eventually('the event came', () => errors.length === 1)
    expect(errors).toMatchObject([{ device: 'omsk-05', trigger: 'ban', error: { code: 'MP_ROTATION_UNSUPPORTED' } }])
  })
})
