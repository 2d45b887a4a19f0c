import { createServer } from 'node:http'
import { connect } from 'node:net'
import { ProxyError } from '@mobilepool/sdk/proxy-server'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ContractHub } from '../../test/contract-hub.ts'
import type { Egress } from '../egress/egress.ts'
import { HubClient } from './hub-client.ts'
import { hubConnector } from './hub-connector.ts'

const report = {
  state: 'changed',
  method: 'airplane_mode',
  old_ip: '127.10.1.1',
  new_ip: '127.10.1.2',
  reason: null,
  detail: null,
} as const
const enrolment = { token: 'token-1', name: 'seoul-01', device_type: 'android', agent_version: '0.1.0' } as const
const beat = { agent_version: '0.1.0', proxy_url: null, methods: [] }

let hub: ContractHub
let client: HubClient
let connections = 0

const egress: Pick<Egress, 'open'> = {
  open: async ({ host, port }) => {
    connections += 1
    const socket = connect({ host, port, localAddress: '127.10.5.5', allowHalfOpen: true })
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    return socket
  },
}

const clientFor = (url: string, by = egress): HubClient => new HubClient({ url, connect: hubConnector(by), now: Date.now })

beforeEach(async () => {
  connections = 0
  hub = new ContractHub()
  client = clientFor(await hub.start())
  client.useKey(hub.key)
})

afterEach(async () => {
  await client.close()
  await hub.stop()
  expect(hub.violations).toEqual([])
})

describe('what the agent says to the hub', () => {
  test('is understood: enrolment, heartbeat, poll, report, echo', async () => {
    expect(await client.enroll(enrolment)).toMatchObject({ name: 'seoul-01', deviceKey: hub.key })
    expect(await client.heartbeat(beat)).toMatchObject({ remoteIp: '127.10.5.5', ipChanged: false })
    expect(await client.orders(0)).toEqual([])
    const id = hub.order({ method: 'airplane_mode', drain_ms: 700 })
    expect(await client.orders(5)).toMatchObject([{ id, method: 'airplane_mode', drainMs: 700 }])
    expect(await client.report(id, report, 1_000)).toBe('changed')
    expect(await client.echo(AbortSignal.timeout(1_000))).toBe('127.10.5.5')
  })

  test('travels by connections that are kept, but the echo by one of its own', async () => {
    for (let i = 0; i < 20; i += 1) await client.heartbeat(beat)
    const kept = connections
    expect(kept).toBeLessThanOrEqual(2)
    await client.echo(AbortSignal.timeout(1_000))
    expect(connections).toBe(kept + 1)
  })

  test('travels by a new connection after a reset, which cuts what is under way', async () => {
    const polling = client.orders(20)
    await client.heartbeat(beat)
    client.reset()
    await expect(polling).rejects.toMatchObject({ code: 'hub_unreachable' })
    const before = connections
    await client.heartbeat(beat)
    expect(connections).toBe(before + 1)
  })

  test('works with a hub that lives below a path', async () => {
    const server = createServer((req, res) => res.end(JSON.stringify({ ip: req.url === '/pool/api/v1/echo' ? '1.2.3.4' : '0.0.0.0' })))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    const other = clientFor(`http://127.0.0.1:${port}/pool/`)
    expect(await other.echo(AbortSignal.timeout(1_000))).toBe('1.2.3.4')
    await other.close()
    server.closeAllConnections()
    server.close()
  })
})

describe('a deadline', () => {
  test.each([
    [0, 0],
    [1_500, 0],
    [3_600_000, 3_600_000],
    [-3_600_000, -3_600_000],
  ])('from a hub whose clock is %i ms ahead is put right by %i ms', async (aheadMs, correctionMs) => {
    hub.clockAheadMs = aheadMs
    hub.order({ deadline_at: new Date(Date.now() + aheadMs + 60_000).toISOString() })
    const [order] = await client.orders(1)
    const leftMs = (order?.deadlineAt ?? 0) - Date.now() - (aheadMs - correctionMs)
    expect(leftMs).toBeGreaterThan(57_000)
    expect(leftMs).toBeLessThan(62_000)
  })
})

describe('a hub', () => {
  test.each([
    [401, 'hub_refused'],
    [429, 'hub_unreachable'],
    [500, 'hub_unreachable'],
    [503, 'hub_unreachable'],
    [302, 'hub_refused'],
    [404, 'hub_refused'],
    ['cut', 'hub_unreachable'],
  ] as const)('that answers %s without a word of a hub’s is %s', async (answer, code) => {
    hub.interfere = () => answer
    // 401 without a problem is said of the key all the same.
    await expect(client.heartbeat(beat)).rejects.toMatchObject({ code: answer === 401 ? 'hub_unauthorized' : code })
  })

  test('that does not know the key says so', async () => {
    client.useKey('mp_other')
    await expect(client.heartbeat(beat)).rejects.toMatchObject({
      code: 'hub_unauthorized',
      message: expect.stringContaining('This key is not known'),
    })
    await expect(client.orders(1)).rejects.toMatchObject({ code: 'hub_unauthorized' })
  })

  test('that does not take the token says so, and what to do', async () => {
    await client.enroll(enrolment)
    await expect(client.enroll(enrolment)).rejects.toMatchObject({
      code: 'enroll_refused',
      message: expect.stringMatching(/spent.*create a new one/s),
    })
  })

  test('that does not know the order is no failure', async () => {
    expect(await client.report('2f0c2f2e-8f0f-4c39-9d58-4a3f4b3a1a10', report, 1_000)).toBeNull()
  })

  test('that hangs is given up in time', async () => {
    hub.interfere = () => 'hang'
    const id = '2f0c2f2e-8f0f-4c39-9d58-4a3f4b3a1a10'
    await expect(client.report(id, report, 100)).rejects.toMatchObject({
      code: 'hub_unreachable',
      message: expect.stringContaining('100 ms'),
    })
  })

  test('whose reply is not a hub’s is told apart', async () => {
    const server = createServer((_, res) => res.end('<html>It works!</html>'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const other = clientFor(`http://127.0.0.1:${(server.address() as { port: number }).port}`)
    await expect(other.echo(AbortSignal.timeout(1_000))).rejects.toMatchObject({
      code: 'hub_refused',
      message: expect.stringContaining('check the hub URL'),
    })
    await other.close()
    server.closeAllConnections()
    server.close()
  })

  test.each([
    [new ProxyError('offline', 'x'), 'no network'],
    [Object.assign(new Error('password=hunter2'), { code: 'ECONNREFUSED' }), 'ECONNREFUSED'],
  ])('that cannot be reached by the device’s own way is not reached by another (%#)', async (failure, says) => {
    const other = clientFor(hub.url, { open: () => Promise.reject(failure) })
    const error = await other.heartbeat(beat).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'hub_unreachable', message: expect.stringContaining(says) })
    expect((error as Error).message).not.toContain('hunter2')
    expect(hub.heartbeats).toEqual([])
    await other.close()
  })

  test('is not waited for by whoever is told to stop', async () => {
    const stop = new AbortController()
    const polling = client.orders(20, stop.signal)
    await client.heartbeat(beat)
    stop.abort(new Error('stopped'))
    await expect(polling).rejects.toThrow('stopped')
  })
})
