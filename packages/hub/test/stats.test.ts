import { randomUUID } from 'node:crypto'
import type { UsageRecordJson } from '@mobilepool/sdk/contract'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startHub, type TestHub } from './hub.ts'
import { loggedIn } from './logged-in.ts'
import { usageRecord } from './records.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
/** A midnight, UTC, of which the log still knows. */
const D0 = Math.floor(Date.now() / DAY) * DAY - 3 * DAY
const at = (hours: number): string => new Date(D0 + hours * HOUR).toISOString()
const TWO_DAYS = `from=${at(0)}&to=${at(48)}`

let hub: TestHub
const ids = { 'seoul-01': '', 'busan-03': '', 'kazan-02': '' }
const report = (key: string, records: UsageRecordJson[]) =>
  hub.ask('/api/v1/usage', { method: 'POST', key, body: { id: randomUUID(), records } })
const ask = async (path: string, key = 'admin') => {
  const answer = await hub.ask(`/api/v1/${path}`, { key })
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.text}`)
  return answer.json
}

/**
 * What was reported: in the first day's hour 1 seoul answers twice (100 ms, 300 ms) and is banned once, in its hour 5 busan times out;
 * on the second day in hour 2 seoul answers 10 times. By hand: 14 attempts, 12 answered, 1 banned, 1 failed.
 */
beforeAll(async () => {
  hub = await startHub({ passwordCost: 10 })
  const devices = [
    { name: 'seoul-01' as const, operator: 'SKT', region: 'Seoul', data_cap_bytes: 1_000_000 },
    { name: 'busan-03' as const, operator: 'KT', region: 'Busan' },
    { name: 'kazan-02' as const, operator: 'SKT' },
  ]
  for (const device of devices) ids[device.name] = (await hub.addDevice(device)).id
  const seoul = (hours: number, over: Partial<UsageRecordJson> = {}) => usageRecord(ids['seoul-01'], { at: at(hours), ...over })
  await report('admin', [
    seoul(1.2, { duration_ms: 100, bytes_out: 10, bytes_in: 1_000 }),
    seoul(1.9, { duration_ms: 300, bytes_out: 20, bytes_in: 2_000, session: 'account-42' }),
    seoul(1.5, { outcome: 'banned', status: 403, target: 'https://www.bank.com/login', duration_ms: 50, bytes_in: 0 }),
    usageRecord(ids['busan-03'], { at: at(5), outcome: 'tunnel_timeout', status: null, duration_ms: 10_000, bytes_in: 0 }),
    ...Array.from({ length: 10 }, (_, index) => seoul(26 + index / 60, { duration_ms: 100, bytes_in: 500 })),
  ])
})
afterAll(() => hub.remove())

describe('the overview', () => {
  test('adds up what was reported, by the hour and by the day', async () => {
    const days = await ask(`stats/overview?${TWO_DAYS}&bucket=day`)
    expect(days).toMatchObject({
      from: at(0),
      to: at(48),
      bucket: 'day',
      time_zone: 'UTC',
      total: { requests: 14, successful: 12, banned: 1, failed: 1, success_rate: 12 / 14, bytes_up: 30, bytes_down: 8_000 },
      devices: { total: 3, online: 0 },
    })
    // (100 + 300 + 50 + 10000 + 10 x 100) / 14
    expect(days.total.avg_ms).toBe(818)
    expect(days.series.map(({ start, requests, success_rate }: Record<string, unknown>) => [start, requests, success_rate])).toEqual([
      [at(0), 4, 0.5],
      [at(24), 10, 1],
    ])
    // Half of the attempts took 100 ms, one of 14 took 10 s: histograms tell them to 12.3 %.
    expect(Math.abs(days.total.p50_ms / 100 - 1)).toBeLessThan(0.124)
    expect(Math.abs(days.total.p99_ms / 10_000 - 1)).toBeLessThan(0.124)
    expect(days.sites).toEqual([
      { site: 'shop.com', requests: 13, successful: 12, banned: 0, success_rate: 12 / 13 },
      { site: 'bank.com', requests: 1, successful: 0, banned: 1, success_rate: 0 },
    ])

    const hours = await ask(`stats/overview?${TWO_DAYS}`)
    expect([hours.bucket, hours.series.length]).toEqual(['hour', 48])
    expect(hours.series.flatMap(({ requests }: { requests: number }, hour: number) => (requests > 0 ? [[hour, requests]] : []))).toEqual([
      [1, 3],
      [5, 1],
      [26, 10],
    ])
    expect(hours.total).toEqual(days.total)
  })

  test('has the days of the zone that is asked for', async () => {
    // 2:00 of the second day is 21:00 of the first in New York; its first day begins at 4:00 or 5:00 UTC.
    const { series } = await ask(`stats/overview?${TWO_DAYS}&bucket=day&time_zone=America/New_York`)
    expect(series.map(({ requests }: { requests: number }) => requests)).toEqual([3, 11, 0])
  })

  test('of a time without requests is zeros and nulls', async () => {
    const empty = await ask(`stats/overview?from=${at(10)}&to=${at(12)}`)
    const nothing = { requests: 0, successful: 0, success_rate: null, avg_ms: null, p50_ms: null, p99_ms: null, bytes_down: 0 }
    expect(empty).toMatchObject({ total: nothing, series: [nothing, nothing], sites: [], ips: { unique: 0, repeated: 0 } })
    expect(empty.rotations).toEqual({ changed: 0, unchanged: 0, failed: 0, success_rate: null })
  })

  test.each([
    ['from=yesterday', 'from'],
    [`from=${at(5)}&to=${at(5)}`, 'to'],
    [`to=${at(5)}`, 'from'],
    [`period=24h&from=${at(5)}`, 'period'],
    ['period=2h', 'period'],
    ['from=2199-01-01', 'from'],
    ['from=2020-01-01', 'from'],
    ['period=90d&bucket=hour', 'bucket'],
    ['time_zone=Mars/Olympus', 'time_zone'],
  ])('for %s is refused, naming %s', async (query, field) => {
    for (const path of ['stats/overview', 'admin/devices/seoul-01/stats'])
      expect(await hub.ask(`/api/v1/${path}?${query}`, { key: 'admin' })).toMatchObject({
        status: 400,
        json: { code: 'bad_request', errors: [{ field }] },
      })
  })
})

describe('devices', () => {
  test('are listed with their sums and data plans, a page at a time, and ranked by what is asked', async () => {
    const first = await ask(`stats/devices?${TWO_DAYS}&limit=2`)
    expect(first).toMatchObject({ total: 3, groups: [], devices: [{ name: 'busan-03' }, { name: 'kazan-02' }] })
    const second = await ask(`stats/devices?${TWO_DAYS}&limit=2&after=${first.next}`)
    expect([second.devices.map(({ name }: { name: string }) => name), second.next]).toEqual([['seoul-01'], null])
    expect(second.devices[0]).toMatchObject({
      requests: 13,
      successful: 12,
      banned: 1,
      failed: 0,
      success_rate: 12 / 13,
      bytes_up: 30,
      bytes_down: 8_000,
      data_plan: { cap_bytes: 1_000_000 },
    })
    expect(first.devices[1]).toMatchObject({ requests: 0, success_rate: null, avg_ms: null, p95_ms: null, data_plan: { cap_bytes: null } })
    const ranked = async (query: string) =>
      (await ask(`stats/devices?${TWO_DAYS}&${query}`)).devices.map(({ name }: { name: string }) => name)
    expect(await ranked('sort=-requests')).toEqual(['seoul-01', 'busan-03', 'kazan-02'])
    expect(await ranked('sort=success_rate')).toEqual(['busan-03', 'seoul-01', 'kazan-02'])
    expect(await ranked('operator=skt&sort=-name')).toEqual(['seoul-01', 'kazan-02'])
  })

  test('are added up by operator, region and type', async () => {
    const by = async (what: string) => (await ask(`stats/devices?${TWO_DAYS}&by=${what}`)).groups
    expect(await by('operator')).toMatchObject([
      { key: 'SKT', devices: 2, requests: 13 },
      { key: 'KT', devices: 1, requests: 1, failed: 1, success_rate: 0 },
    ])
    expect((await by('region')).map(({ key, requests }: { key: string | null; requests: number }) => [key, requests])).toEqual([
      ['Seoul', 13],
      ['Busan', 1],
      [null, 0],
    ])
    expect(await by('type')).toMatchObject([{ key: 'generic', devices: 3, requests: 14 }])
  })

  test('one by one, over hours and over whole days, add up to the overview', async () => {
    for (const range of [TWO_DAYS, `from=${at(1)}&to=${at(27)}`, `from=${at(0)}&to=${at(5)}`]) {
      const { total } = await ask(`stats/overview?${range}`)
      const { devices } = await ask(`stats/devices?${range}`)
      for (const field of ['requests', 'successful', 'banned', 'failed', 'bytes_up', 'bytes_down'])
        expect([field, devices.reduce((sum: number, one: Record<string, number>) => sum + (one[field] ?? 0), 0)]).toEqual([
          field,
          total[field],
        ])
      const seoul = await ask(`admin/devices/seoul-01/stats?${range}`)
      const listed = devices.find(({ name }: { name: string }) => name === 'seoul-01')
      expect(seoul.total).toEqual(Object.fromEntries(Object.keys(seoul.total).map((field) => [field, listed[field]])))
    }
  })

  test('have the bytes of this month, in every list, also after a restart and with another first day', async () => {
    const used = async () => {
      const [one] = (await ask('admin/devices?search=seoul')).devices
      return [one.data_used_bytes, one.data_used_since]
    }
    const today = new Date()
    const month = (day: number) => new Date(Date.UTC(today.getUTCFullYear(), today.getUTCMonth(), day)).getTime()
    const since = (began: number) => (began <= D0 + HOUR ? 8_030 : began <= D0 + 26 * HOUR ? 5_000 : 0)
    expect(await used()).toEqual([since(month(1)), new Date(month(1)).toISOString()])
    expect((await ask('admin/devices/seoul-01/stats')).data_plan).toEqual({
      since: new Date(month(1)).toISOString(),
      used_bytes: since(month(1)),
      cap_bytes: 1_000_000,
      percent: Math.round(since(month(1)) / 1_000) / 10,
    })
    hub = await hub.restart()
    expect((await used())[0]).toBe(since(month(1)))
    const day = new Date(D0 + DAY).getUTCDate()
    await hub.ask('/api/v1/admin/devices/seoul-01', { method: 'PATCH', key: 'admin', body: { data_cap_day: day } })
    await expect.poll(async () => (await used())[0], { timeout: 20_000 }).toBe(5_000)
    await report('admin', [usageRecord(ids['seoul-01'], { bytes_out: 1, bytes_in: 2 })])
    expect((await used())[0]).toBe(5_003)
  })
})

describe('the log', () => {
  test('is read newest first, page by page, each line once', async () => {
    const seen: number[] = []
    for (let after = '', pages = 0; pages < 10; pages++) {
      const page = await ask(`stats/requests?${TWO_DAYS}&limit=3${after}`)
      seen.push(...page.requests.map((line: { at: string }) => Date.parse(line.at)))
      if (page.next === null) break
      after = `&after=${page.next}`
    }
    expect(seen).toHaveLength(14)
    expect(seen).toEqual(seen.toSorted((a, b) => b - a))
  })

  test.each([
    ['device=busan-03', 1],
    ['outcome=banned', 1],
    ['status=403', 1],
    ['site=shop.com', 13],
    ['session=account-42', 1],
    ['device=seoul-01&outcome=answered', 12],
    ['exit_ip=127.10.1.1', 14],
    ['exit_ip=127.10.1.2', 0],
  ])('with %s has %i lines', async (filter, lines) => {
    expect((await ask(`stats/requests?${TWO_DAYS}&${filter}`)).requests).toHaveLength(lines)
  })

  test('shows who is no admin his own lines only', async () => {
    const [olga, boris] = [await loggedIn(hub, 'olga'), await loggedIn(hub, 'boris')]
    const parser = await hub.parserKey()
    const range = `from=${at(60)}`
    const line = (target: string) => [usageRecord(ids['kazan-02'], { target, at: at(61) })]
    await report(olga.token, line('olga.example.com/a'))
    await report(parser, line('parser.example.com/b'))
    const key = await olga.ask('/api/v1/keys', { method: 'POST', body: { name: 'screen', scope: 'read' } })
    const screen = await hub.ask('/api/v1/keys', { method: 'POST', key: 'admin', body: { name: 'wall', scope: 'read' } })
    const targets = async (who: string) =>
      (await ask(`stats/requests?${range}&device=kazan-02`, who)).requests.map(({ target }: { target: string }) => target).toSorted()
    expect(await targets(olga.token)).toEqual(['olga.example.com/a'])
    expect(await targets(key.json.key)).toEqual(['olga.example.com/a'])
    expect(await targets(boris.token)).toEqual([])
    expect(await targets(parser)).toEqual(['parser.example.com/b'])
    for (const all of ['admin', screen.json.key]) expect(await targets(all)).toEqual(['olga.example.com/a', 'parser.example.com/b'])
  })

  test.each(['after=x', 'after=1_2', 'limit=0', 'limit=501', 'status=99', 'outcome=A'])('refuses %s, naming the field', async (query) => {
    const [field] = query.split('=')
    expect(await hub.ask(`/api/v1/stats/requests?${query}`, { key: 'admin' })).toMatchObject({ status: 400, json: { errors: [{ field }] } })
  })
})

test('addresses are counted once for each exit; one that a device still has is within the range although it began long before', async () => {
  const beat = (name: string, from: string) => hub.ask(`/proxy_server?name=${name}`, { from })
  for (const from of ['127.10.1.1', '127.10.1.2', '127.10.1.1']) await beat('seoul-01', from)
  await beat('busan-03', '127.10.1.2')
  await expect.poll(async () => (await ask('stats/ips?period=1h')).ips.length, { timeout: 20_000 }).toBe(2)
  const all = await ask('stats/ips?period=1h')
  expect(all).toMatchObject({ unique: 2, repeated: 2, next: null })
  expect(all.ips).toMatchObject([
    { ip: '127.10.1.1', times: 2, devices: 1 },
    { ip: '127.10.1.2', times: 2, devices: 2 },
  ])
  expect(await ask('stats/ips?period=1h&device=busan-03')).toMatchObject({ unique: 1, repeated: 0, ips: [{ ip: '127.10.1.2', times: 1 }] })
  const first = await ask('stats/ips?period=1h&limit=1')
  expect([first.ips.length, first.next]).toEqual([1, '1'])
  expect(await ask('stats/ips?period=1h&limit=1&after=1')).toMatchObject({ next: null, ips: [{ ip: '127.10.1.2' }] })
  expect((await ask('stats/ips?period=1h&repeated=true&device=busan-03')).ips).toEqual([])
  const since = new Date().toISOString()
  await beat('busan-03', '127.10.1.2')
  await expect.poll(async () => (await ask(`stats/ips?from=${since}`)).ips, { timeout: 20_000 }).toMatchObject([{ ip: '127.10.1.2' }])
})
