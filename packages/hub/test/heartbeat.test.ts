import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { heartbeatReply, problem, statusReply } from '@mobilepool/sdk/contract'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { send } from './client.ts'
import { startHub, type TestHub } from './hub.ts'

const run = promisify(execFile)
const curl = async (...args: string[]): Promise<string> => (await run('curl', ['-sS', '-m', '10', ...args])).stdout

describe('the crontab heartbeat', () => {
  let hub: TestHub
  beforeAll(async () => {
    hub = await startHub()
  })
  afterAll(() => hub.remove())
  const beat = (query: string, from?: string) => hub.ask(`/proxy_server${query}`, from === undefined ? {} : { from })

  test('is answered to curl with exactly the five fields of the specification, in their order', async () => {
    const url = `${hub.url}/proxy_server?name=test1`
    const shape = (changed: boolean, ip: string) =>
      new RegExp(
        `^\\{"success":true,"name":"test1","remote_ip":"${ip.replaceAll('.', '\\.')}","ip_changed":${changed},"timestamp":"\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z"\\}$`,
      )
    expect(await curl(url)).toMatch(shape(false, '127.0.0.1'))
    expect(await curl(url)).toMatch(shape(false, '127.0.0.1'))
    expect(await curl('--interface', '127.10.9.9', url)).toMatch(shape(true, '127.10.9.9'))
    expect(await curl('--interface', '127.10.9.9', url)).toMatch(shape(false, '127.10.9.9'))
  })

  test('may not be cached on its way', async () => {
    const { headers } = await beat('?name=test1')
    expect(headers['cache-control']).toBe('no-store')
  })

  test('shows in the status, with the specification’s fields first', async () => {
    await beat('?name=seoul-01', '127.10.1.1')
    const { text, json } = await hub.ask('/status')
    expect(text).toMatch(/^\{"total":\d+,"proxies":\[\{"name":"[^"]+","remote_ip":"[^"]+","last_seen":"[^"]+","created_at":"[^"]+",/)
    statusReply.parse(json)
    expect(json.proxies).toContainEqual(
      expect.objectContaining({ name: 'seoul-01', remote_ip: '127.10.1.1', status: 'pending', kind: 'bare' }),
    )
  })

  test('shows in the status page by page, where a limit is asked for', async () => {
    for (const name of ['page-01', 'page-02', 'page-03']) await beat(`?name=${name}`, '127.10.1.9')
    const all = statusReply.parse((await hub.ask('/status')).json)
    expect(all.next).toBeNull()
    const names: string[] = []
    let after = ''
    for (let pages = 0; pages < all.total; pages++) {
      const page = statusReply.parse((await hub.ask(`/status?limit=2${after}`)).json)
      expect(page.total).toBe(all.total)
      expect(page.proxies.length).toBeLessThanOrEqual(2)
      names.push(...page.proxies.map(({ name }) => name))
      if (!page.next) break
      after = `&after=${page.next}`
    }
    expect(names).toEqual(all.proxies.map(({ name }) => name))
    expect((await hub.ask('/status?limit=0')).json.errors).toMatchObject([{ field: 'limit' }])
    expect((await hub.ask('/status?after=nonsense')).json.errors).toMatchObject([{ field: 'after' }])
  })

  test.each([
    ['is missing', ''],
    ['is empty', '?name='],
    ['is longer than 100 characters', `?name=${'x'.repeat(101)}`],
    ['may hold only letters', '?name=a%20b'],
    ['may hold only letters', `?name=${encodeURIComponent("x'; drop table proxy_devices")}`],
    ['may hold only letters', '?name=..%2F..%2Fetc'],
    ['may hold only letters', '?name=a%00b'],
    ['must be text', '?name=a&name=b'],
  ])('whose name %s is refused by a problem that names the field', async (message, query) => {
    const { status, json, headers } = await beat(query)
    expect(status).toBe(400)
    expect(headers['content-type']).toContain('application/problem+json')
    expect(problem.parse(json)).toMatchObject({
      code: 'bad_request',
      errors: [{ field: 'name', message: expect.stringContaining(message) }],
    })
  })

  test('takes names of any script', async () => {
    const { json } = await beat(`?name=${encodeURIComponent('서울-01')}`)
    expect(heartbeatReply.parse(json).name).toBe('서울-01')
  })

  test('is GET only', async () => {
    for (const method of ['HEAD', 'POST', 'DELETE']) expect((await hub.ask('/proxy_server?name=head-01', { method })).status).toBe(405)
    expect((await hub.ask('/status')).text).not.toContain('head-01')
  })

  test('from nowhere but the socket: a forged forwarded header is not believed', async () => {
    const { json } = await hub.ask('/proxy_server?name=forger', {
      from: '127.10.5.5',
      headers: { 'x-forwarded-for': '6.6.6.6', forwarded: 'for=6.6.6.6' },
    })
    expect(json.remote_ip).toBe('127.10.5.5')
  })

  test('an address change is one info line in the log, each heartbeat a debug line', async () => {
    await beat('?name=busan-03', '127.10.3.1')
    await beat('?name=busan-03', '127.10.3.2')
    const lines = hub
      .log()
      .split('\n')
      .filter((line) => line.includes('busan-03'))
      .map((line) => JSON.parse(line) as { level: number; msg: string; from?: string; to?: string })
    expect(lines.filter(({ level, msg }) => level === 20 && msg === 'heartbeat')).toHaveLength(2)
    expect(lines.filter(({ level }) => level === 30)).toMatchObject([{ msg: 'IP changed', from: '127.10.3.1', to: '127.10.3.2' }])
  })
})

describe('a hub behind a proxy', () => {
  let hub: TestHub
  beforeAll(async () => {
    hub = await startHub({ trustProxy: ['127.10.8.0/24'] })
  })
  afterAll(() => hub.remove())
  const through = (forwarded: string, from: string) =>
    hub.ask('/proxy_server?name=seoul-01', { from, headers: { 'x-forwarded-for': forwarded } })

  test('believes the address that the trusted proxy appended, not what its client had written left of it', async () => {
    expect((await through('6.6.6.6, 203.0.113.7', '127.10.8.1')).json.remote_ip).toBe('203.0.113.7')
  })
  test('writes IPv4-mapped IPv6 as IPv4', async () => {
    expect((await through('::ffff:203.0.113.7', '127.10.8.1')).json).toMatchObject({ remote_ip: '203.0.113.7', ip_changed: false })
  })
  test('believes nobody else', async () => {
    expect((await through('6.6.6.6', '127.10.9.1')).json.remote_ip).toBe('127.10.9.1')
  })
  test.each(['garbage', '203.0.113.7:5555', '<script>'])('refuses "%s" as an address', async (forwarded) => {
    const { status, json } = await through(forwarded, '127.10.8.1')
    expect(status).toBe(400)
    expect(json.detail).toContain('X-Forwarded-For')
  })
})

describe('IPv6', () => {
  test('heartbeats alternate between families without a change', async () => {
    const hub = await startHub({ host: '::1' })
    const first = await send(`${hub.url}/proxy_server?name=seoul-01`)
    expect(first.json).toMatchObject({ remote_ip: '::1', ip_changed: false })
    expect((await send(`${hub.url}/proxy_server?name=seoul-01`)).json).toMatchObject({ remote_ip: '::1', ip_changed: false })
    await hub.remove()
  })
})

describe('who may send heartbeats', () => {
  test('HEARTBEAT_ALLOW keeps other networks out', async () => {
    const hub = await startHub({ heartbeatAllow: ['127.10.0.0/16'] })
    expect((await hub.ask('/proxy_server?name=in', { from: '127.10.1.1' })).status).toBe(200)
    const out = await hub.ask('/proxy_server?name=out', { from: '127.11.1.1' })
    expect(out.status).toBe(403)
    expect(out.json).toMatchObject({ code: 'forbidden', detail: expect.stringContaining('127.11.1.1') })
    expect((await hub.ask('/status')).json.total).toBe(1)
    await hub.remove()
  })

  test('a device that has a key must bring it, and no other will do', async () => {
    const hub = await startHub()
    const device = await hub.addDevice({ name: 'seoul-01' })
    await hub.addDevice({ name: 'moscow-07' })
    expect((await hub.ask('/proxy_server?name=seoul-01')).status).toBe(200)
    const make = (body: unknown) => hub.ask('/api/v1/keys', { method: 'POST', key: 'admin', body })
    const { json: own } = await make({ name: 'seoul', scope: 'device', device: 'seoul-01' })
    const { json: other } = await make({ name: 'moscow', scope: 'device', device: 'moscow-07' })
    expect(own.device_id).toBe(device.id)

    const without = await hub.ask('/proxy_server?name=seoul-01')
    expect(without.status).toBe(401)
    expect(without.json).toMatchObject({ code: 'unauthorized', detail: expect.stringContaining('&key=') })
    expect((await hub.ask(`/proxy_server?name=seoul-01&key=${own.key}`)).status).toBe(200)
    expect((await hub.ask('/proxy_server?name=seoul-01', { key: own.key })).status).toBe(200)
    expect((await hub.ask('/proxy_server?name=seoul-01', { headers: { 'x-api-key': own.key } })).status).toBe(200)
    expect((await hub.ask(`/proxy_server?name=seoul-01&key=${other.key}`)).status).toBe(403)
    expect((await hub.ask(`/proxy_server?name=unheard-of&key=${own.key}`)).status).toBe(403)
    expect((await hub.ask('/proxy_server?name=seoul-01', { key: 'admin' })).status).toBe(403)
    expect((await hub.ask('/proxy_server?name=seoul-01&key=mp_wrong')).status).toBe(401)

    await hub.ask(`/api/v1/keys/${own.id}`, { method: 'DELETE', key: 'admin' })
    expect((await hub.ask(`/proxy_server?name=seoul-01&key=${own.key}`)).status).toBe(401)
    expect((await hub.ask('/proxy_server?name=seoul-01')).status).toBe(200)
    expect(hub.log()).not.toContain(own.key)
    await hub.remove()
  })
})

describe('a flood of names', () => {
  test('makes at most MAX_DEVICES pending devices, then is told the limit; known names never suffer', async () => {
    const hub = await startHub({ maxDevices: 5, newNamesPerMinute: 20 })
    const statuses: number[] = []
    for (let n = 0; n < 40; n++) statuses.push((await hub.ask(`/proxy_server?name=flood-${n}`, { from: '127.10.66.6' })).status)
    expect(statuses.slice(0, 5)).toEqual([200, 200, 200, 200, 200])
    expect(new Set(statuses.slice(5, 20))).toEqual(new Set([409]))
    expect(new Set(statuses.slice(21))).toEqual(new Set([429]))

    const limited = await hub.ask('/proxy_server?name=flood-x', { from: '127.10.66.6' })
    expect(Number(limited.headers['retry-after'])).toBeGreaterThan(0)
    expect(limited.json).toMatchObject({ code: 'too_many_requests', detail: expect.stringContaining('NEW_NAMES_PER_MINUTE') })
    const full = await hub.ask('/proxy_server?name=newcomer', { from: '127.10.7.7' })
    expect(full.json).toMatchObject({ code: 'device_limit', status: 409, detail: expect.stringContaining('MAX_DEVICES') })
    for (let n = 0; n < 5; n++) expect((await hub.ask(`/proxy_server?name=flood-${n}`, { from: '127.10.66.6' })).status).toBe(200)
    expect((await hub.ask('/status')).json.total).toBe(5)
    await hub.remove()
  })

  test('wrong keys of one address are stopped, right ones from the same address are not', async () => {
    const hub = await startHub()
    const parser = await hub.parserKey()
    const statuses: number[] = []
    for (let n = 0; n < 40; n++) statuses.push((await hub.ask('/api/v1/proxy/list', { key: `mp_guess-${n}` })).status)
    expect(statuses[0]).toBe(401)
    expect(statuses.at(-1)).toBe(429)
    expect((await hub.ask('/api/v1/proxy/list', { key: parser })).status).toBe(200)
    await hub.remove()
  })
})

describe('what was heard', () => {
  test('survives a restart: addresses, counts, times, and the grace of the hub’s own absence', async () => {
    let hub = await startHub({ bareTimeoutMs: 5_000 })
    await hub.addDevice({ name: 'seoul-01' })
    await hub.ask('/proxy_server?name=seoul-01', { from: '127.10.1.1' })
    await hub.ask('/proxy_server?name=seoul-01', { from: '127.10.1.2' })
    await hub.ask('/proxy_server?name=only-heard', { from: '127.10.1.3' })
    const strip = (json: { proxies: unknown[] }) => json.proxies
    const before = strip((await hub.ask('/status')).json)
    hub = await hub.restart()
    expect(strip((await hub.ask('/status')).json)).toEqual(before)
    expect(before).toMatchObject([
      { name: 'only-heard', remote_ip: '127.10.1.3', status: 'pending', ip_changes: 0 },
      { name: 'seoul-01', remote_ip: '127.10.1.2', status: 'online', ip_changes: 1 },
    ])
    expect((await hub.ask('/proxy_server?name=seoul-01', { from: '127.10.1.2' })).json.ip_changed).toBe(false)
    expect((await hub.ask('/proxy_server?name=seoul-01', { from: '127.10.1.1' })).json.ip_changed).toBe(true)
    await hub.remove()
  })
})
