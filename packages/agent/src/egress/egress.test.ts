import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { ProxyError } from '@mobilepool/sdk/proxy-server'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { NameServer } from '../../test/name-server.ts'
import { VirtualClock } from '../../test/virtual-clock.ts'
import { createEgress, type Egress } from './egress.ts'
import { DeviceResolver } from './resolver.ts'

const SOURCE = '127.10.7.1'
const BY_IT = { v4: SOURCE, v6: null }
const soon = () => AbortSignal.timeout(10_000)

let names: NameServer
let clock: VirtualClock
let resolver: DeviceResolver
let site: Server
let port: number
let visitors: Socket[]
let opened: Duplex[]

beforeEach(async () => {
  names = new NameServer()
  clock = new VirtualClock()
  const server = await names.start()
  resolver = new DeviceResolver(() => [server], clock.now.bind(clock))
  visitors = []
  opened = []
  site = createServer((socket) => visitors.push(socket.on('error', () => {})))
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve))
  port = (site.address() as AddressInfo).port
})

afterEach(async () => {
  for (const stream of [...opened, ...visitors]) stream.destroy()
  await new Promise((resolve) => site.close(resolve))
  resolver.flush()
  await names.stop()
})

const egressOf = (source: string | null = SOURCE, allowPrivateTargets = true): Egress =>
  createEgress({ ways: [{ version: 4, source: () => source, routes: null }], resolver, allowPrivateTargets })

const open = async (egress: Egress, host: string, asks: 'parser' | 'agent' = 'parser', signal = soon()): Promise<Duplex> => {
  const stream = await egress.open({ host, port }, asks, signal)
  opened.push(stream)
  return stream
}

const seen = async (): Promise<string | undefined> => {
  while (visitors.length === 0) await new Promise((resolve) => setImmediate(resolve))
  return visitors[0]?.remoteAddress
}

describe('the egress of a device', () => {
  test('leaves by the device’s own address, with its questions to the name server', async () => {
    names.names.set('site.example', { addresses: ['127.0.0.1'], ttl: 60 })
    await open(egressOf(), 'site.example')
    expect(await seen()).toBe(SOURCE)
    expect(names.questions).toEqual([{ name: 'site.example', from: SOURCE }])
  })

  test('is offline when the device has no address: nothing is asked, nothing is dialled', async () => {
    await expect(open(egressOf(null), 'site.example')).rejects.toMatchObject({ code: 'offline' })
    expect({ questions: names.questions, visitors }).toEqual({ questions: [], visitors: [] })
  })

  test('never takes another address when the device’s own cannot be used', async () => {
    await expect(open(egressOf('192.0.2.77'), '127.0.0.1')).rejects.toMatchObject({ code: 'EADDRNOTAVAIL' })
    expect(visitors).toEqual([])
  })

  test('tries the next address of a name when the first refuses', async () => {
    names.names.set('site.example', { addresses: ['127.0.0.99', '127.0.0.1'], ttl: 60 })
    await open(egressOf(), 'site.example')
    expect(await seen()).toBe(SOURCE)
  })

  test('says what was wrong with the last one when all refuse', async () => {
    names.names.set('site.example', { addresses: ['127.0.0.98', '127.0.0.99'], ttl: 60 })
    await expect(open(egressOf(), 'site.example')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  test('says that a name does not exist', async () => {
    await expect(open(egressOf(), 'nowhere.example')).rejects.toMatchObject({ code: 'ENOTFOUND', syscall: 'queryA' })
  })

  test('opens nothing for whoever has gone meanwhile', async () => {
    const gone = AbortSignal.abort(new Error('gone'))
    await expect(open(egressOf(), '127.0.0.1', 'parser', gone)).rejects.toThrow('gone')
    expect(visitors).toEqual([])
  })

  test('has no way to an IPv6 target from an IPv4 address', async () => {
    await expect(open(egressOf(), '::1')).rejects.toMatchObject({ code: 'upstream_failed' })
  })

  test('lets the driver carry the connection', async () => {
    const carried: unknown[] = []
    const egress = createEgress({
      ways: [{ version: 4, source: () => SOURCE, routes: null }],
      carry: (connection, target) => {
        carried.push(target)
        return connection
      },
      resolver,
      allowPrivateTargets: true,
    })
    await open(egress, '127.0.0.1')
    expect(carried).toEqual([{ host: '127.0.0.1', port }])
  })
})

describe('the target guard', () => {
  test.each([['127.0.0.1'], ['localhost'], ['x.localhost'], ['10.0.0.1'], ['169.254.169.254'], ['::ffff:7f00:1']])(
    'refuses parsers %s',
    async (host) => {
      await expect(open(egressOf(SOURCE, false), host)).rejects.toMatchObject({
        code: 'target_refused',
        message: expect.stringContaining(host),
      })
      expect(visitors).toEqual([])
    },
  )

  test('judges what a name points to, not the name', async () => {
    names.names.set('innocent.example', { addresses: ['127.0.0.1', '10.0.0.1'], ttl: 60 })
    const refused = await open(egressOf(SOURCE, false), 'innocent.example').catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(ProxyError)
    expect(refused).toMatchObject({ code: 'target_refused' })
    expect(visitors).toEqual([])
  })

  test('lets the agent reach its hub wherever that is', async () => {
    await open(egressOf(SOURCE, false), '127.0.0.1', 'agent')
    expect(await seen()).toBe(SOURCE)
  })
})

describe('the resolver', () => {
  test('asks again when the name server’s time is over, and not before', async () => {
    names.names.set('site.example', { addresses: ['127.0.0.1'], ttl: 30 })
    const resolve = () => resolver.resolve('site.example', BY_IT)
    await resolve()
    await clock.advance(29_999)
    await resolve()
    expect(names.questions).toHaveLength(1)
    names.names.set('site.example', { addresses: ['127.0.0.2'], ttl: 86_400 })
    await clock.advance(1)
    expect(await resolve()).toEqual(['127.0.0.2'])
    // A day is not believed.
    await clock.advance(300_000)
    await resolve()
    expect(names.questions).toHaveLength(3)
  })

  test('forgets everything when the device changes its address', async () => {
    names.names.set('site.example', { addresses: ['127.0.0.1'], ttl: 300 })
    await resolver.resolve('site.example', BY_IT)
    resolver.flush()
    await resolver.resolve('site.example', { v4: '127.10.7.2', v6: null })
    expect(names.questions.map(({ from }) => from)).toEqual([SOURCE, '127.10.7.2'])
  })

  test('does not leave a question hanging behind a vanished address', async () => {
    names.isSilent = true
    const asking = resolver.resolve('slow.example', BY_IT)
    while (names.questions.length === 0) await new Promise((resolve) => setImmediate(resolve))
    resolver.flush()
    await expect(asking).rejects.toMatchObject({ code: 'ECANCELLED' })
  })

  test('keeps a bounded number of names', async () => {
    for (let i = 0; i < 1_005; i += 1) names.names.set(`n${i}.example`, { addresses: ['127.0.0.1'], ttl: 300 })
    for (let i = 0; i < 1_005; i += 1) await resolver.resolve(`n${i}.example`, BY_IT)
    await resolver.resolve('n1004.example', BY_IT)
    expect(names.questions).toHaveLength(1_005)
    await resolver.resolve('n0.example', BY_IT)
    expect(names.questions).toHaveLength(1_006)
  })
})
