import axios from 'axios'
import { describe, expect, test } from 'vitest'
import { ask } from './ask-by-agent.ts'
import { eventually } from './eventually.ts'
import type { SeenRequest } from './servers/origin.ts'
import { collect, Stage } from './stage.ts'

const stage = new Stage()

/** got 16 needs Node 22. */
const hasGot = Number(process.versions.node.split('.')[0]) >= 22

/** busan-03, which gets another exit IP when it rotates, then seoul-01 and moscow-07, round-robin. */
async function three(options = {}) {
  const [busan, seoul, moscow] = [await stage.device('busan-03'), await stage.device('seoul-01'), await stage.device('moscow-07')]
  let rotations = 0
  const rotate = async () => {
    busan.egress = `127.10.3.${2 + rotations++}`
    return busan.egress
  }
  const devices = [
    { id: 'busan-03', url: busan.url, rotate },
    { id: 'seoul-01', url: seoul.url },
    { id: 'moscow-07', url: moscow.url },
  ]
  return { pool: stage.open({ devices, balancer: 'round-robin', ...options }), busan, seoul, moscow }
}

describe.each(['http', 'https'])('agents for %s', (scheme) => {
  const tls = scheme === 'https'

  test('of a view use only devices that suit it, views of views narrow, and each view keeps its own connections', async () => {
    const origin = await stage.origin({ tls })
    const { pool, busan } = await three()
    const view = pool.with({ exclude: 'seoul-01' })
    const exits = new Set<string>()
    for (let i = 0; i < 4; i++) exits.add((await ask(view, origin.url)).seen.remoteAddress)
    expect(exits).toEqual(new Set(['127.10.3.1', '127.10.7.1']))
    const one = view.with({ devices: ['seoul-01', 'busan-03'] })
    expect(await ask(one, origin.url)).toMatchObject({ isReused: false, seen: { remoteAddress: '127.10.3.1' } })
    expect(await ask(one, origin.url)).toMatchObject({ isReused: true, seen: { remoteAddress: '127.10.3.1' } })
    await expect(ask(one.with({ devices: 'seoul-01' }), origin.url)).rejects.toMatchObject({ code: 'MP_NO_DEVICE' })
    const open = busan.sockets.size
    ;(tls ? one.httpsAgent : one.httpAgent).destroy()
    await eventually('only its own connection is closed', () => busan.sockets.size === open - 1)
    expect(tls ? view.httpsAgent : view.httpAgent).toBe(tls ? view.httpsAgent : view.httpAgent)
  })

  test('inside pool.run obey its view, nested ones narrow, and outside they are free again', async () => {
    const origin = await stage.origin({ tls })
    const { pool } = await three()
    const inside = await pool.run({ devices: ['seoul-01', 'moscow-07'] }, async () => {
      const exits: string[] = []
      for (let i = 0; i < 4; i++) exits.push((await ask(pool, origin.url)).seen.remoteAddress)
      const nested = await pool.run({ exclude: 'moscow-07' }, () => Promise.all([1, 2, 3].map(() => ask(pool, origin.url))))
      const { data } = await axios.get<SeenRequest>(origin.url, { httpAgent: pool.httpAgent, httpsAgent: pool.httpsAgent, proxy: false })
      exits.push(data.remoteAddress, (await ask(pool.with({ exclude: 'seoul-01' }), origin.url)).seen.remoteAddress)
      return { exits: new Set(exits), nested: new Set(nested.map(({ seen }) => seen.remoteAddress)) }
    })
    expect(inside).toEqual({ exits: new Set(['127.10.1.1', '127.10.7.1']), nested: new Set(['127.10.1.1']) })
    const outside = new Set<string>()
    for (let i = 0; i < 3; i++) outside.add((await ask(pool, origin.url)).seen.remoteAddress)
    expect(outside.size).toBe(3)
  })

  test('of a session stay on its device, together with its other clients', async () => {
    const origin = await stage.origin({ tls })
    const { pool } = await three()
    const session = pool.session('account-42')
    const first = await Promise.all([1, 2, 3].map(() => ask(session, origin.url)))
    const exits = new Set(first.map(({ seen }) => seen.remoteAddress))
    exits.add(((await (await session.fetch(origin.url)).json()) as SeenRequest).remoteAddress)
    exits.add((await ask(pool.session('account-42'), origin.url)).seen.remoteAddress)
    exits.add((await pool.run({ session: 'account-42' }, () => ask(pool, origin.url))).seen.remoteAddress)
    expect(exits).toEqual(new Set(['127.10.3.1']))
    expect(session.device).toEqual({ deviceId: 'busan-03', device: 'busan-03' })
  })

  test('of a session go to another device when its own answers nothing', async () => {
    const origin = await stage.origin({ tls })
    const { pool, busan } = await three()
    const session = pool.session('a')
    expect((await ask(session, origin.url)).seen.remoteAddress).toBe('127.10.3.1')
    busan.fault = { kind: 'reset', afterBytes: 0 }
    busan.dropAll()
    await eventually('what was idle is gone', () => busan.sockets.size === 0)
    if (!tls) {
      // In absolute form the request was sent: repeating it is the client's business. The session has left the device.
      await expect(ask(session, origin.url)).rejects.toThrow()
      await eventually('it is told', () => session.device === null)
      busan.fault = null
      expect((await ask(session, origin.url)).status).toBe(200)
    } else expect((await ask(session, origin.url)).seen.remoteAddress).toBe('127.10.1.1')
  })

  test.each([
    ['rotation', 'MP_DEVICE_ROTATED'],
    ['change that the hub announces', 'MP_SESSION_IP_CHANGED'],
  ])('of a strict session fail after a %s, reused connections included', async (change, code) => {
    const origin = await stage.origin({ tls })
    const busan = await stage.device('busan-03')
    const hub = await stage.hub()
    const device = hub.put('busan-03', { status: 'online', proxy_url: busan.url, exit_ip: '127.10.3.1' })
    const rotate = async () => {
      busan.egress = '127.10.3.2'
      return '127.10.3.2'
    }
    const pool =
      change === 'rotation'
        ? stage.open({ devices: [{ id: 'busan-03', url: busan.url, rotate }], rotate: { drainMs: 100 } })
        : stage.open({ hub: { url: hub.url, token: hub.token }, usage: false })
    const session = pool.session('strict', { onIpChange: 'fail' })
    expect((await ask(session, origin.url)).seen.remoteAddress).toBe('127.10.3.1')
    expect(await ask(session, origin.url)).toMatchObject({ isReused: true, seen: { remoteAddress: '127.10.3.1' } })
    const hanging = expect(ask(session, `${origin.url}/hang`)).rejects.toMatchObject({ code })
    await eventually('it is there', () => origin.seen.some(({ url }) => url === '/hang'))
    const faults = pool.stats().devices[0]?.faults
    if (change === 'rotation') await Promise.all([pool.rotate('busan-03'), hanging])
    else {
      await eventually('the stream is open', () => hub.streams === 1)
      const changes = collect(pool, 'ipChanged')
      busan.egress = '127.10.3.2'
      const data = { id: device.id, name: 'busan-03', old_ip: '127.10.3.1', new_ip: '127.10.3.2', at: new Date().toISOString() }
      hub.send({ name: 'ip_changed', data })
      await eventually('the pool knows', () => changes.length === 1)
      await hanging
    }
    expect(pool.stats().devices[0]?.faults).toBe(faults)
    for (let i = 0; i < 2; i++) await expect(ask(session, origin.url)).rejects.toMatchObject({ code: 'MP_SESSION_IP_CHANGED' })
    session.renew()
    expect(await ask(session, origin.url)).toMatchObject({ isReused: false, seen: { remoteAddress: '127.10.3.2' } })
    expect(origin.seen.map(({ remoteAddress }) => remoteAddress)).toEqual(['127.10.3.1', '127.10.3.1', '127.10.3.1', '127.10.3.2'])
  })

  test('of a strict session let an answer that has begun finish', async () => {
    const origin = await stage.origin({ tls })
    const { pool } = await three({ rotate: { drainMs: 2_000 } })
    const session = pool.session('strict', { onIpChange: 'fail' })
    const begun = ask(session, `${origin.url}/stream/200`)
    await eventually('it is there', () => origin.seen.length === 1)
    await session.fetch(origin.url).then((response) => response.text())
    const [answer] = await Promise.all([begun, pool.rotate('busan-03')])
    expect(answer.seen.body).toBe('firstsecond')
  })
})

test.skipIf(!hasGot)('got with the agents of a session stays on one device, its redirects included', async () => {
  const { default: got } = await import('got')
  const origin = await stage.origin()
  const { pool } = await three()
  const session = pool.session('account-42')
  const client = got.extend({ agent: { http: session.httpAgent, https: session.httpsAgent } })
  await Promise.all([1, 2, 3].map(() => client(`${origin.url}/redirect`)))
  expect(origin.seen).toHaveLength(6)
  expect(new Set(origin.seen.map(({ remoteAddress }) => remoteAddress))).toEqual(new Set(['127.10.3.1']))
})
