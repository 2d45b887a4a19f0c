import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { deviceList, device as deviceSchema, operatorList, problem, proxyServiceStatus } from '@mobilepool/sdk/contract'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startHub, type TestHub } from './hub.ts'

const run = promisify(execFile)

let hub: TestHub
let parser: string
beforeAll(async () => {
  hub = await startHub()
  parser = await hub.parserKey()
  const add = async (name: string, over: Record<string, unknown>, from: string | null): Promise<void> => {
    await hub.addDevice({ name, proxy_url: `http://user:pw-${name}@10.0.0.1:8080`, ...over })
    if (from !== null) await hub.ask(`/proxy_server?name=${name}`, { from })
  }
  await add('seoul-01', { operator: 'SKT', region: 'Seoul', tags: ['farm-1'], weight: 3 }, '127.10.1.1')
  await add('seoul-02', { operator: 'skt', region: 'Seoul', tags: ['farm-1', 'fast'], device_type: 'android' }, '127.10.1.2')
  await add('moscow-07', { operator: 'МТС', region: 'Moscow', device_type: 'usb_modem' }, '127.10.7.7')
  await add('kazan-02', { operator: 'МТС', region: 'Kazan' }, null)
  await add('busan-03', { operator: 'KT', region: 'Busan', maintenance: true }, '127.10.3.3')
  await add('omsk-05', { operator: 'KT', proxy_url: null }, '127.10.5.5')
  await hub.ask('/proxy_server?name=pending-01', { from: '127.10.9.9' })
})
afterAll(() => hub.remove())

const ask = (path: string) => hub.ask(`/api/v1/proxy/${path}`, { key: parser })
const line = (name: string): string => `http://user:pw-${name}@10.0.0.1:8080\n`

test.each([
  ['', 'moscow-07 seoul-01 seoul-02'],
  ['&operator=SKT', 'seoul-01 seoul-02'],
  ['&operator=SKT&operator=%D0%BC%D1%82%D1%81', 'moscow-07 seoul-01 seoul-02'],
  ['&tag=fast', 'seoul-02'],
  ['&tag=fast&tag=farm-1', 'seoul-02'],
  ['&type=usb_modem&region=moscow', 'moscow-07'],
  ['&search=127.10.1.', 'seoul-01 seoul-02'],
  ['&limit=1', 'moscow-07'],
  ['&region=Nowhere', ''],
])('the list as text with "%s" has the devices that can be used now, one a line: %s', async (query, names) => {
  const { status, text, headers } = await ask(`list?format=txt${query}`)
  expect([status, headers['content-type']]).toEqual([200, 'text/plain; charset=utf-8'])
  expect(text).toBe(names.split(' ').filter(Boolean).map(line).join(''))
})

test('the list as text is what curl and shell tools read', async () => {
  const { stdout } = await run('sh', [
    '-c',
    `curl -fsS -H "X-API-Key: ${parser}" "${hub.url}/api/v1/proxy/list?format=txt&operator=SKT" | while read -r proxy; do echo "<$proxy>"; done`,
  ])
  expect(stdout).toBe(['seoul-01', 'seoul-02'].map((name) => `<${line(name).trim()}>\n`).join(''))
})

test('the list as JSON has all adopted devices, whatever their status, or those that can be used', async () => {
  const all = deviceList.parse((await ask('list')).json)
  expect(all.devices.map(({ name, status }) => `${name} ${status}`)).toEqual([
    'busan-03 maintenance',
    'kazan-02 offline',
    'moscow-07 online',
    'omsk-05 online',
    'seoul-01 online',
    'seoul-02 online',
  ])
  expect((await ask('list?available=true')).json.devices.map(({ name }: { name: string }) => name)).toEqual([
    'moscow-07',
    'seoul-01',
    'seoul-02',
  ])
  expect((await ask('list?available=true')).json.total).toBe(3)
})

test('the list goes on page by page where it ended', async () => {
  const names: string[] = []
  let after = ''
  for (let page = 0; page < 3; page++) {
    const { json } = await ask(`list?limit=2${after}`)
    names.push(...deviceList.parse(json).devices.map(({ name }) => name))
    expect(json.total).toBe(6)
    after = `&after=${json.next}`
    if (json.next === null) break
  }
  expect(names).toEqual(['busan-03', 'kazan-02', 'moscow-07', 'omsk-05', 'seoul-01', 'seoul-02'])
  expect(problem.parse((await ask('list?after=nonsense')).json).errors).toMatchObject([{ field: 'after' }])
})

test('a random device is one that can be used, heavier ones more often', async () => {
  const names: string[] = []
  for (let n = 0; n < 60; n++) names.push((await ask('random?operator=SKT')).json.name)
  expect(new Set(names)).toEqual(new Set(['seoul-01', 'seoul-02']))
  // 45 of 60 are to be expected; fewer than 31 happen once in 40,000 runs.
  expect(names.filter((name) => name === 'seoul-01').length).toBeGreaterThan(30)
  deviceSchema.parse((await ask('random')).json)
  expect((await ask('random?operator=МТС&format=txt'.replace('МТС', encodeURIComponent('МТС')))).text).toBe(line('moscow-07'))
})

test('where no device can be used the answer says why, and when to try again', async () => {
  const busan = await ask('random?region=Busan')
  expect(problem.parse(busan.json)).toMatchObject({ code: 'no_device', status: 503, detail: expect.stringContaining('1 maintenance') })
  expect(busan.headers['retry-after']).toBe('10')
  expect((await ask('random?operator=KT')).json.detail).toContain('1 without a proxy URL')
  expect((await ask('random?region=Nowhere')).json.detail).toBe('No adopted device matches.')
})

test('an exit that is quarantined for a site is left out for that site, however the site is written', async () => {
  const ban = { exit_ip: '127.10.1.1', site: 'example.co.uk', lasts_ms: 60_000, rule: 'status' }
  const report = { reporter: '0190e7a2-0000-7000-8000-000000000001', bans: [ban] }
  const reported = await hub.ask('/api/v1/bans', { method: 'POST', key: parser, body: report })
  expect(reported.status, reported.text).toBe(200)
  for (const site of ['example.co.uk', 'SHOP.example.co.uk', 'https://shop.example.co.uk/a?b'])
    expect((await ask(`list?format=txt&operator=SKT&site=${encodeURIComponent(site)}`)).text).toBe(line('seoul-02'))
  expect((await ask('list?format=txt&operator=SKT&site=example.com')).text).toContain('seoul-01')
  expect((await ask('random?operator=SKT&site=example.co.uk')).json.name).toBe('seoul-02')
  expect((await ask('list?site=%20')).json.errors).toMatchObject([{ field: 'site' }])
})

test('by-operator groups the devices that can be used now', async () => {
  const { operators } = operatorList.parse((await ask('by-operator')).json)
  expect(operators.map(({ operator, total, available, devices }) => [operator, total, available, devices.map(({ name }) => name)])).toEqual(
    [
      ['KT', 2, 0, []],
      ['SKT', 2, 2, ['seoul-01', 'seoul-02']],
      ['МТС', 2, 1, ['moscow-07']],
    ],
  )
  expect((await ask('by-operator?operator=skt&format=txt')).text).toBe(line('seoul-01') + line('seoul-02'))
  expect((await ask('by-operator?operator=skt&format=txt&limit=1')).text).toBe(line('seoul-01'))
  const short = operatorList.parse((await ask('by-operator?limit=1')).json).operators
  expect(short.map(({ available, devices }) => [available, devices.map(({ name }) => name)])).toEqual([
    [0, []],
    [2, ['seoul-01']],
    [1, ['moscow-07']],
  ])
  expect(operatorList.parse((await ask('by-operator?operator=nobody')).json).operators).toEqual([])
})

test('status tells how the service is', async () => {
  expect(proxyServiceStatus.parse((await ask('status')).json)).toMatchObject({
    status: 'ok',
    total: 6,
    available: 3,
    devices: { online: 4, offline: 1, busy: 0, maintenance: 1, rotating: 0 },
    database: 'up',
    quarantines: 1,
  })
})

test('a rotation of all takes filters, and names one device or filters, not both', async () => {
  const { status, json } = await hub.ask('/api/v1/proxy/rotate', { method: 'POST', key: parser, body: { operator: ['skt'] } })
  expect(status).toBe(202)
  expect(json.refused.map(({ device }: { device: string }) => device)).toEqual(['seoul-01', 'seoul-02'])
  const both = await hub.ask('/api/v1/proxy/rotate', { method: 'POST', key: parser, body: { operator: 'skt', device: 'seoul-01' } })
  expect(both.json.errors).toMatchObject([{ field: 'device' }])
})

test('a restart of a bare device is refused with the reason', async () => {
  const { status, json } = await hub.ask('/api/v1/admin/devices/seoul-01/restart', { method: 'POST', key: 'admin' })
  expect([status, problem.parse(json).code]).toEqual([409, 'restart_unsupported'])
  expect(json.detail).toContain('runs no agent')
})
