import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { curl, seenIn } from '../../../sdk/test/curl.ts'
import { type Origin, startOrigin } from '../../../sdk/test/servers/origin.ts'
import { EventReader } from '../event-reader.ts'
import { ADMIN_KEY, startHub } from '../hub.ts'
import { type GatewayStage, startGatewayStage } from './gateway-stage.ts'

/** Who is let in and how much of it he gets; what the hub knows reaches the gateway, and what the gateway knows the hub. */
let stage: GatewayStage
let origin: Origin

beforeEach(async () => {
  origin = await startOrigin()
})
afterEach(async () => {
  await stage.close()
  await origin.close()
})

const open = async (options?: Parameters<typeof startGatewayStage>[0]): Promise<void> => {
  stage = await startGatewayStage(options)
}
const ask = (userName = 'anna', key?: string) => curl('-x', stage.proxy(userName, key), origin.url)
const admin = async (path: string, method = 'GET', body?: unknown) => {
  const answer = await stage.hub.ask(path, { method, key: 'admin', ...(body === undefined ? {} : { body }) })
  expect(answer.status, answer.text).toBeLessThan(300)
  return answer.json
}
/** A tunnel to the origin, with which bytes can be exchanged at any time. */
const tunnel = async (userName = 'anna') => {
  const { hostname, port, username, password } = new URL(stage.proxy(userName))
  const socket = connect(Number(port), hostname)
  const secret = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')
  socket.write(`CONNECT ${new URL(origin.url).host} HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Basic ${secret}\r\n\r\n`)
  const [head] = (await once(socket, 'data')) as [Buffer]
  expect(head.toString()).toMatch(/^HTTP\/1\.1 200/)
  socket.on('error', () => {})
  return socket
}

test('how long requests waited for a device is measured', async () => {
  await open()
  await stage.device('seoul-01', { concurrency: 1 })
  const waits = async () => {
    const { text } = await stage.hub.ask('/metrics', { key: 'admin' })
    const [, sum, count] =
      /^mobilepool_gateway_admission_wait_seconds_sum (\S+)\nmobilepool_gateway_admission_wait_seconds_count (\d+)$/m.exec(text) ?? []
    return [Number(sum), Number(count)]
  }
  const socket = await tunnel()
  const [none = 1, one] = await waits()
  expect(one).toBe(1)
  expect(none).toBeLessThan(0.1)
  const begun = performance.now()
  const second = ask()
  await vi.waitFor(
    async () => expect((await stage.hub.ask('/metrics', { key: 'admin' })).text).toContain('mobilepool_gateway_requests_queued 1\n'),
    { timeout: 20_000 },
  )
  socket.destroy()
  expect(await second).toMatchObject({ status: 200 })
  const [sum = 0, count] = await waits()
  expect(count).toBe(2)
  expect(sum).toBeGreaterThan(none)
  expect((sum - none) * 1_000).toBeLessThan(performance.now() - begun)
})

test('a device whose every place is taken by the gateway is busy, for as long as that lasts, and still one that can be used', async () => {
  await open()
  await stage.device('seoul-01', { concurrency: 2 })
  await stage.device('busan-03', { concurrency: 2 })
  const events = new EventReader(`${stage.hub.url}/api/v1/events`, { headers: { authorization: `Bearer ${ADMIN_KEY}` } })
  await events.opened
  const statuses = () =>
    events.events.filter(({ name, data }) => name === 'device' && data.name === 'seoul-01').map(({ data }) => data.status as string)
  const sockets = [await tunnel('anna-device-seoul-01'), await tunnel('anna-device-seoul-01')]
  await vi.waitFor(() => expect(statuses().at(-1)).toBe('busy'), { timeout: 20_000 })
  const { total, devices } = await admin('/api/v1/admin/devices?status=busy')
  expect([total, devices[0].name]).toEqual([1, 'seoul-01'])
  expect(await admin('/api/v1/proxy/status')).toMatchObject({ available: 2, devices: { online: 1, busy: 1 } })
  for (const socket of sockets) socket.destroy()
  await vi.waitFor(() => expect(statuses().at(-1)).toBe('online'), { timeout: 20_000 })
  // It was busy all the while, not now and then.
  expect(statuses().filter((status) => status === 'busy')).toHaveLength(1)
  events.close()
})

describe('who comes in', () => {
  test('needs a key that is good, of scope proxy, from an address that is allowed', async () => {
    await open({ gatewayAllow: ['127.0.0.0/30'] })
    await stage.device('seoul-01')
    expect(await ask()).toMatchObject({ status: 200 })
    const { key: reader } = await admin('/api/v1/keys', 'POST', { name: 'reader', scope: 'read' })
    expect(await ask('anna', reader)).toMatchObject({ status: 403, body: expect.stringContaining('has the scope \\"read\\"') })
    const elsewhere = await curl('-x', stage.proxy('anna'), '--interface', '127.0.0.9', origin.url)
    expect(elsewhere).toMatchObject({ status: 403, body: expect.stringContaining('GATEWAY_ALLOW') })
    expect(origin.seen).toHaveLength(1)
  })

  test('waits longer and longer for the answer when he guesses keys; others at the same time do not', async () => {
    await open()
    await stage.device('seoul-01')
    const guess = (address: string) => curl('-x', stage.proxy('anna', 'mp_a-guess'), '--interface', address, origin.url)
    const timed = async (address: string): Promise<number> => {
      const begun = performance.now()
      expect(await guess(address)).toMatchObject({ status: 407 })
      return performance.now() - begun
    }
    for (let count = 0; count < 9; count++) await timed('127.0.0.9')
    // Five are free, and each is a little forgiven until the next comes; then 100 ms, 200 ms, 400 ms.
    const [guesser, other] = await Promise.all([
      timed('127.0.0.9'),
      timed('127.0.0.10'),
      ask().then(({ status }) => expect(status).toBe(200)),
    ])
    expect(guesser).toBeGreaterThan(399)
    expect(other).toBeLessThan(guesser)
  })

  test('is out at once when his key is revoked, with the tunnels that he has open', async () => {
    await open()
    await stage.device('seoul-01')
    const socket = await tunnel()
    const { keys } = await admin('/api/v1/keys')
    const { id } = keys.find(({ name }: { name: string }) => name === 'parser')
    const closed = new Promise((resolve) => socket.once('close', resolve))
    await admin(`/api/v1/keys/${id}`, 'DELETE')
    await closed
    expect(await ask()).toMatchObject({ status: 407, body: expect.stringContaining('revoked') })
  })

  test('gets so many requests a minute, and no more than his quota', async () => {
    await open({ gatewayRateLimit: 3 })
    await stage.device('seoul-01')
    for (let count = 0; count < 3; count++) expect(await ask()).toMatchObject({ status: 200 })
    const refused = await ask()
    expect(refused).toMatchObject({ status: 429, body: expect.stringContaining('GATEWAY_RATE_LIMIT') })
    expect(refused.head).toMatch(/^retry-after: \d+\r$/im)
    const { key } = await admin('/api/v1/keys', 'POST', { name: 'small', scope: 'proxy', requests_limit: 2 })
    for (let count = 0; count < 2; count++) expect(await ask('anna', key)).toMatchObject({ status: 200 })
    expect(await ask('anna', key)).toMatchObject({ status: 429, body: expect.stringContaining('has used 2 of 2 requests') })
    expect(origin.seen).toHaveLength(5)
  })

  test('reaches no private, loopback or metadata address and no other port than the allowed ones', async () => {
    await open({ gatewayAllowPrivate: false, gatewayPorts: '80,443' })
    const device = await stage.device('seoul-01')
    for (const target of [
      'http://127.0.0.1/',
      'http://10.0.0.1/',
      'http://169.254.169.254/',
      'http://[::1]/',
      'http://localhost/',
      'http://192.0.43.10:25/',
    ]) {
      const plain = await curl('-x', stage.proxy('anna'), target)
      expect(plain, target).toMatchObject({ status: 599 })
      expect(await curl('--proxytunnel', '-x', stage.proxy('anna'), target), target).toMatchObject({ connectStatus: 599 })
    }
    expect(device.counts).toMatchObject({ connects: 0, requests: 0 })
  })
})

describe('what the hub knows', () => {
  test('reaches requests at once: devices that come, change, go into maintenance and are deleted', async () => {
    await open()
    expect(await ask()).toMatchObject({ status: 503 })
    const device = await stage.device('seoul-01')
    expect(await ask()).toMatchObject({ status: 200 })
    const json = (await admin('/api/v1/admin/devices')).devices[0]
    await admin(`/api/v1/admin/devices/${json.id}`, 'PATCH', { operator: 'SKT' })
    expect(await ask('anna-operator-SKT')).toMatchObject({ status: 200 })
    await admin(`/api/v1/admin/devices/${json.id}`, 'PATCH', { maintenance: true })
    expect(await ask()).toMatchObject({ status: 503 })
    await admin(`/api/v1/admin/devices/${json.id}`, 'PATCH', { maintenance: false })
    expect(await ask()).toMatchObject({ status: 200 })
    await admin(`/api/v1/admin/devices/${json.id}`, 'DELETE')
    expect(await ask()).toMatchObject({ status: 503 })
    expect(device.counts.requests).toBe(3)
  })

  test('ends a strict session when its exit IP is gone, and lets another one follow its device', async () => {
    await open()
    const seoul = await stage.device('seoul-01')
    expect(await ask('anna-session-a-strict')).toMatchObject({ status: 200 })
    expect(await ask('anna-session-b')).toMatchObject({ status: 200 })
    seoul.egress = '127.10.1.2'
    await stage.beat('seoul-01')
    const lost = await ask('anna-session-a-strict')
    expect(lost).toMatchObject({ status: 503 })
    expect(lost.head).toMatch(/^x-mobilepool-error: session_ip_changed\r$/im)
    expect(seenIn(await ask('anna-session-b')).remoteAddress).toBe('127.10.1.2')
    expect(await ask('anna-session-c-strict')).toMatchObject({ status: 200 })
  })

  test('ends a session after its time', async () => {
    await open({ gatewayBalancer: 'round-robin' })
    await stage.device('seoul-01')
    await stage.device('busan-03')
    const first = seenIn(await ask('anna-session-a-ttl-1s')).remoteAddress
    expect(seenIn(await ask('anna-session-a-ttl-1s')).remoteAddress).toBe(first)
    // Each look is a use of the session.
    const look = async () => expect(seenIn(await ask('anna-session-a-ttl-1s')).remoteAddress).not.toBe(first)
    await vi.waitFor(look, { interval: 1_500, timeout: 20_000 })
  })

  test('has the session of its user name in the log', async () => {
    await open()
    await stage.device('seoul-01')
    await ask('anna-session-cart.7')
    await ask('anna')
    const log = async (query: string) => (await admin(`/api/v1/stats/requests?period=24h${query}`)).requests
    await vi.waitFor(async () => expect(await log('')).toHaveLength(2), { timeout: 20_000 })
    expect((await log('')).map(({ session }: { session: string | null }) => session).sort()).toEqual(['cart.7', null])
    expect(await log('&session=cart.7')).toHaveLength(1)
  })

  test('is told by the gateway: usage, quotas, bans and metrics', async () => {
    await open()
    const [omsk, seoul] = [await stage.device('omsk-05'), await stage.device('seoul-01')]
    origin.ban(omsk.egress)
    for (let count = 0; count < 4; count++) expect(seenIn(await ask()).remoteAddress).toBe(seoul.egress)
    expect(origin.seen.filter(({ remoteAddress }) => remoteAddress === omsk.egress)).toHaveLength(1)
    await vi.waitFor(async () => expect((await admin('/api/v1/bans')).bans).toMatchObject([{ exit_ip: omsk.egress }]), { timeout: 20_000 })
    await vi.waitFor(
      async () => {
        const { devices } = await admin('/api/v1/admin/devices')
        const totals = Object.fromEntries(
          devices.map((device: { name: string; total_requests: number }) => [device.name, device.total_requests]),
        )
        expect(totals).toEqual({ 'omsk-05': 1, 'seoul-01': 4 })
      },
      { timeout: 20_000 },
    )
    await vi.waitFor(
      async () => {
        const { keys } = await admin('/api/v1/keys')
        expect(keys.find(({ name }: { name: string }) => name === 'parser')).toMatchObject({ requests_used: 4 })
      },
      { timeout: 20_000 },
    )
    const { text } = await stage.hub.ask('/metrics', { key: 'admin' })
    expect(text).toMatch(/^mobilepool_gateway_exchanges_total\{kind="request",outcome="ok"\} 4$/m)
    expect(text).toMatch(/^mobilepool_gateway_bytes_total\{direction="down"\} [1-9]/m)
    expect(text).toMatch(/^mobilepool_gateway_tunnels_open 0$/m)
  })
})

describe('the gateway', () => {
  test('lets what is under way finish when the hub stops, and takes nothing new', async () => {
    await open({ gatewayDrainMs: 10_000 })
    await stage.device('seoul-01')
    const slow = curl('-x', stage.proxy('anna'), `${origin.url}/slow/1000`)
    await vi.waitFor(() => expect(origin.seen).toHaveLength(1), { timeout: 10_000 })
    const closing = stage.hub.close()
    await vi.waitFor(async () => expect([0, 503]).toContain((await ask()).status), { timeout: 10_000 })
    expect(await slow).toMatchObject({ exit: 0, status: 200 })
    await closing
    expect(origin.seen).toHaveLength(1)
  })

  test('that cannot have the port it was told keeps the hub from starting', async () => {
    await open()
    const proxyPort = Number(new URL(stage.hub.gatewayUrl ?? '').port)
    await expect(startHub({ proxyPort, dataDir: join(stage.hub.dataDir, 'other') })).rejects.toThrow(
      /Port \d+ of 127\.0\.0\.1 is taken: .* PROXY_PORT/,
    )
  })
})
