import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import type { MobilePoolOptions } from '@mobilepool/sdk'
import { afterEach, describe, expect, test } from 'vitest'
import { PLAIN_VIEW, type View } from '../src/core/view.ts'
import type { Path } from '../src/dispatch/path.ts'
import type { Emit } from '../src/events.ts'
import { parseOptions } from '../src/options/parse-options.ts'
import { assemblePool, type PoolParts } from '../src/pool-parts.ts'
import { eventually } from './eventually.ts'
import type { FaultyProxy } from './servers/faulty-proxy.ts'
import { Stage } from './stage.ts'

const stage = new Stage()
const assembled: PoolParts[] = []
const events: [name: string, event: unknown][] = []

afterEach(async () => {
  events.length = 0
  for (const { engine, core, destroy } of assembled.splice(0)) {
    await destroy(new Error('the test is over'))
    const counts = () => [engine.inFlight, core.queued, ...[...core.fleet.all()].map(({ inFlight }) => inFlight)]
    await eventually('nothing is under way', () => counts().every((count) => count === 0))
  }
})

function assemble(devices: readonly (FaultyProxy & { readonly id: string })[], options: MobilePoolOptions = {}): PoolParts {
  const list = devices.map(({ id, url }) => ({ id, url, rotate: async () => '127.10.9.9' }))
  const emit: Emit = (name, ...[event]) => void events.push([name, event])
  const parts = assemblePool(parseOptions({ devices: list, balancer: 'round-robin', ...options }), { pool: {}, emit })
  parts.start()
  assembled.push(parts)
  return parts
}

const hostOf = (url: string) => ({ hostname: '127.0.0.1', port: Number(new URL(url).port), isPlainHttp: false })

async function get(socket: Duplex, head: string): Promise<string> {
  socket.write(`${head}\r\nHost: origin\r\nConnection: close\r\n\r\n`)
  let text = ''
  for await (const chunk of socket) text += String(chunk)
  return text
}

describe('a path', () => {
  test('is a tunnel through a device, and carries bytes both ways', async () => {
    const origin = await stage.origin()
    const { engine } = assemble([await stage.device('seoul-01')])
    const path = await engine.openPath(hostOf(origin.url))
    expect(path).toMatchObject({
      device: { deviceId: 'seoul-01', device: 'seoul-01' },
      exitIp: null,
      isForward: false,
      authorization: null,
    })
    expect(await get(path.socket, 'GET /tunnel HTTP/1.1')).toContain('"remoteAddress":"127.10.1.1"')
  })

  test('for plain http leads to the proxy of the device, and says its credentials', async () => {
    const origin = await stage.origin()
    const device = await stage.device('seoul-01', { auth: 'us:er' })
    const { engine } = assemble([device])
    const path = await engine.openPath({ ...hostOf(origin.url), isPlainHttp: true })
    expect(path).toMatchObject({ isForward: true, authorization: `Basic ${btoa('us:er')}` })
    const head = `GET ${origin.url}/forward HTTP/1.1\r\nProxy-Authorization: ${path.authorization}`
    expect(await get(path.socket, head)).toContain('"remoteAddress":"127.10.1.1"')
    expect(device.counts).toMatchObject({ connects: 0, requests: 1 })
  })

  test.each(['drop', 'garbage', 'hang_accept', 'hang_connect', 'status'] as const)(
    'goes on to another device when one fails with %s, and the failure is that device’s',
    async (kind) => {
      const origin = await stage.origin()
      const [kazan, seoul] = [await stage.device('kazan-02'), await stage.device('seoul-01')]
      kazan.fault = kind === 'status' ? { kind, status: 502 } : { kind }
      const { engine, core } = assemble([kazan, seoul], { timeouts: { connectMs: 300 }, hedge: false })
      const path = await engine.openPath(hostOf(origin.url))
      expect(path.device.deviceId).toBe('seoul-01')
      expect(core.fleet.get('kazan-02')?.tally.faults).toBe(1)
      expect(events.flatMap(([name, event]) => (name === 'retry' ? [event] : []))).toMatchObject([{ attempt: { deviceId: 'kazan-02' } }])
      path.socket.destroy()
    },
  )

  test('that no device can open says which were tried', async () => {
    const [kazan, omsk] = [await stage.device('kazan-02'), await stage.device('omsk-05')]
    for (const device of [kazan, omsk]) device.fault = { kind: 'status', status: 502 }
    const { engine } = assemble([kazan, omsk])
    await expect(engine.openPath({ hostname: 'site.example', port: 443, isPlainHttp: false })).rejects.toMatchObject({
      code: 'MP_RETRIES_EXHAUSTED',
      message: expect.stringMatching(
        /^gave up on site\.example:443 after 3 attempts: kazan-02 tunnel_refused 502; .*\. The last: device \S+: /,
      ),
      attempts: [{ deviceId: 'kazan-02', kind: 'tunnel_refused', statusCode: 502 }, { deviceId: 'omsk-05' }, {}],
    })
    expect(engine.counts).toMatchObject({ started: 1, failed: 1, retried: 2 })
  })

  test('holds the place at its device until it is released or closed', async () => {
    const origin = await stage.origin()
    const { engine, core } = assemble([await stage.device('seoul-01')], { perDevice: { concurrency: 1 } })
    const first = await engine.openPath(hostOf(origin.url))
    const order: string[] = []
    const note = (name: string) => (path: Path) => {
      order.push(name)
      return path
    }
    const second = engine.openPath(hostOf(origin.url)).then(note('second'))
    const third = engine.openPath(hostOf(origin.url)).then(note('third'))
    expect(core.queued).toBe(2)
    first.release()
    first.release()
    expect(core.queued).toBe(1)
    const { socket } = await second
    expect(first.socket.destroyed).toBe(false)
    socket.destroy()
    const last = await third
    expect(order).toEqual(['second', 'third'])
    for (const path of [first, last]) path.socket.destroy()
    await eventually('both are over', () => engine.inFlight === 0)
  })

  test('is given up when its signal aborts, while it waits and while it connects', async () => {
    const origin = await stage.origin()
    const kazan = await stage.device('kazan-02')
    kazan.fault = { kind: 'hang_connect' }
    const { engine, core } = assemble([kazan], { perDevice: { concurrency: 1 } })
    const [connecting, waiting] = [new AbortController(), new AbortController()]
    const both = [connecting, waiting].map(({ signal }) => engine.openPath(hostOf(origin.url), undefined, signal))
    const ends = both.map((path) => expect(path).rejects.toMatchObject({ message: 'enough' }))
    await eventually('the first connects', () => kazan.counts.connects === 1)
    waiting.abort(new Error('enough'))
    connecting.abort(new Error('enough'))
    await Promise.all(ends)
    expect([core.queued, engine.inFlight, engine.counts.aborted, core.fleet.get('kazan-02')?.inFlight]).toEqual([0, 0, 2, 0])
    await expect(engine.openPath(hostOf(origin.url), undefined, AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late')
    await eventually('nothing is left at the device', () => kazan.sockets.size === 0)
  })

  test('goes only where its view allows', async () => {
    const origin = await stage.origin()
    const { engine } = assemble([await stage.device('seoul-01'), await stage.device('moscow-07')])
    const view: View = { ...PLAIN_VIEW, accepts: ({ id }) => id === 'moscow-07' }
    for (let i = 0; i < 3; i++) {
      const { device, socket } = await engine.openPath(hostOf(origin.url), view)
      expect(device.deviceId).toBe('moscow-07')
      socket.destroy()
    }
    const nobody = { ...view, accepts: () => false }
    await expect(engine.openPath(hostOf(origin.url), nobody)).rejects.toMatchObject({ code: 'MP_NO_DEVICE' })
  })

  test('is never direct: without a device there is an error, and a target that is none is refused', async () => {
    const origin = await stage.origin()
    const { engine } = assemble([])
    await expect(engine.openPath(hostOf(origin.url))).rejects.toMatchObject({ code: 'MP_NO_DEVICE' })
    expect(origin.sockets.size).toBe(0)
    for (const hostname of ['', 'a b', 'x\r\nHost: y', 'a/b']) {
      await expect(engine.openPath({ hostname, port: 443, isPlainHttp: false })).rejects.toThrow('a path needs a host name and a port')
    }
    await expect(engine.openPath({ hostname: 'a.example', port: 0, isPlainHttp: false })).rejects.toThrow('a path needs')
  })

  test('clears the failures of its device when bytes have come back', async () => {
    const origin = await stage.origin()
    const seoul = await stage.device('seoul-01')
    const { engine, core } = assemble([seoul], { retry: { attempts: 2 } })
    seoul.fault = { kind: 'drop' }
    await expect(engine.openPath(hostOf(origin.url))).rejects.toMatchObject({ code: 'MP_RETRIES_EXHAUSTED' })
    seoul.fault = null
    expect(core.fleet.get('seoul-01')?.consecutiveFaults).toBe(2)
    const { socket } = await engine.openPath(hostOf(origin.url))
    await get(socket, 'GET / HTTP/1.1')
    await eventually('its failures are forgiven', () => core.fleet.get('seoul-01')?.consecutiveFaults === 0)
  })
})

describe('a rotation', () => {
  test('waits for a path, then cuts it with MP_DEVICE_ROTATED; an idle one closes at once', async () => {
    const origin = await stage.origin()
    const { engine, rotations } = assemble([await stage.device('busan-03')], { rotate: { drainMs: 300 } })
    const [busy, idle] = [await engine.openPath(hostOf(origin.url)), await engine.openPath(hostOf(origin.url))]
    idle.release()
    const cut = once(busy.socket, 'error')
    const rotation = rotations.rotate('busan-03', 'forced')
    await eventually('the idle one is closed', () => idle.socket.destroyed)
    expect(busy.socket.destroyed).toBe(false)
    expect(await cut).toMatchObject([{ code: 'MP_DEVICE_ROTATED' }])
    await rotation
  })

  test('in the middle of connecting sends the path to another device', async () => {
    const origin = await stage.origin()
    const [busan, seoul] = [await stage.device('busan-03'), await stage.device('seoul-01')]
    busan.fault = { kind: 'hang_connect' }
    const { engine, rotations } = assemble([busan, seoul], { rotate: { drainMs: 50 } })
    const opening = engine.openPath(hostOf(origin.url))
    await eventually('it connects', () => busan.counts.connects === 1)
    await rotations.rotate('busan-03', 'forced')
    const path = await opening
    expect(path.device.deviceId).toBe('seoul-01')
    path.socket.destroy()
  })
})

test('closing waits for paths under way, and destroying ends them with the error', async () => {
  const origin = await stage.origin()
  const pool = assemble([await stage.device('seoul-01')])
  const [one, other] = [await pool.engine.openPath(hostOf(origin.url)), await pool.engine.openPath(hostOf(origin.url))]
  const closed = pool.close(5_000)
  one.socket.destroy()
  other.socket.destroy()
  await closed
  await expect(pool.engine.openPath(hostOf(origin.url))).rejects.toMatchObject({ code: 'MP_CLOSED' })

  const next = assemble([await stage.device('omsk-05')])
  const path = await next.engine.openPath(hostOf(origin.url))
  const error = once(path.socket, 'error')
  await next.destroy(new Error('enough'))
  expect(await error).toMatchObject([{ message: 'enough' }])
})
