import { randomUUID } from 'node:crypto'
import { usageReply } from '@mobilepool/sdk/contract'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { sharedPostgres, startHub, type TestHub } from './hub.ts'
import { usageRecord } from './records.ts'

let hub: TestHub
let databaseUrl: string
let databases = 0
beforeEach(async () => {
  databaseUrl = await sharedPostgres().createDatabase(`usage_${databases++}`)
  hub = await startHub({ databaseUrl })
})
afterEach(() => hub.remove())

const report = (key: string | undefined, body: unknown) =>
  hub.ask('/api/v1/usage', { method: 'POST', body, ...(key === undefined ? {} : { key }) })

async function rows(query: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    return (await client.query(query)).rows
  } finally {
    await client.end()
  }
}

describe('a batch of usage', () => {
  test('is stored and counted once, however often it is sent', async () => {
    const { id } = await hub.addDevice({ name: 'seoul-01' })
    const key = await hub.parserKey()
    const batch = {
      id: randomUUID(),
      records: [usageRecord(id), usageRecord(id, { outcome: 'banned', status: 403 }), usageRecord(randomUUID())],
    }
    const first = await report(key, batch)
    expect([first.status, usageReply.parse(first.json)]).toEqual([200, { stored: 2, unknown_devices: 1, duplicate: false }])
    expect((await report(key, batch)).json).toEqual({ stored: 0, unknown_devices: 0, duplicate: true })
    hub = await hub.restart()
    expect((await report(key, batch)).json).toMatchObject({ duplicate: true })
    expect(await rows('select outcome, target_url, host(client_ip) as client from request_logs order by outcome')).toEqual([
      { outcome: 'answered', target_url: 'shop.com', client: '127.0.0.1' },
      { outcome: 'banned', target_url: 'shop.com', client: '127.0.0.1' },
    ])
    expect(await rows('select requests_count, successful_requests, banned_requests from usage_stats')).toEqual([
      { requests_count: 2, successful_requests: 1, banned_requests: 1 },
    ])
  })

  test('goes by the hub’s clock where the parser’s is ahead or has no date', async () => {
    const { id } = await hub.addDevice({ name: 'seoul-01' })
    const records = ['2099-01-01T00:00:00.000Z', '1970-01-01T00:00:00.000Z'].map((at) => usageRecord(id, { at }))
    expect((await report('admin', { id: randomUUID(), records })).json).toMatchObject({ stored: 2 })
    const [oldest, newest] = (await rows('select created_at from request_logs order by created_at')).map((row) => row.created_at as Date)
    expect(Math.abs((newest?.getTime() ?? 0) - Date.now())).toBeLessThan(60_000)
    expect(Math.abs((oldest?.getTime() ?? 0) + 30 * 86_400_000 - Date.now())).toBeLessThan(60_000)
  })

  test('of 500 records with the longest targets fits, one more does not', async () => {
    const { id } = await hub.addDevice({ name: 'seoul-01' })
    const records = Array.from({ length: 500 }, () => usageRecord(id, { target: `shop.com/${'x'.repeat(991)}` }))
    expect((await report('admin', { id: randomUUID(), records })).json).toMatchObject({ stored: 500 })
    expect(await report('admin', { id: randomUUID(), records: [...records, usageRecord(id)] })).toMatchObject({
      status: 400,
      json: { code: 'bad_request' },
    })
  })

  test.each([
    ['a method with a line break', { method: 'GET\r\n' }],
    ['an exit IP that is none', { exit_ip: 'nowhere' }],
    ['a target beyond the column', { target: 'x'.repeat(1_001) }],
    ['a negative size', { bytes_in: -1 }],
    ['a status that HTTP does not have', { status: 99 }],
    ['an unknown field', { password: 'x' }],
  ])('with %s is refused whole, and the answer names the field', async (_, wrong) => {
    const { id } = await hub.addDevice({ name: 'seoul-01' })
    const answer = await report('admin', { id: randomUUID(), records: [usageRecord(id), { ...usageRecord(id), ...wrong }] })
    expect(answer).toMatchObject({ status: 400, json: { code: 'bad_request', errors: [{ field: expect.stringContaining('records.1') }] } })
    expect(await rows('select 1 from request_logs')).toEqual([])
  })

  test('takes a parser’s or an admin’s key, and no other', async () => {
    const batch = { id: randomUUID(), records: [usageRecord(randomUUID())] }
    const device = await hub.enrol('busan-03')
    for (const [key, status] of [
      [undefined, 401],
      ['mp_wrong-key-0123456789abcdefghijkl', 401],
      [device, 403],
    ] as const)
      expect((await report(key, batch)).status).toBe(status)
    expect(await rows('select 1 from usage_batches')).toEqual([])
  })

  test('of NDJSON is taken whole or not at all, and bad lines are named by their numbers', async () => {
    const { id } = await hub.addDevice({ name: 'seoul-01' })
    const lines = (...records: unknown[]) => records.map((one) => (typeof one === 'string' ? one : JSON.stringify(one))).join('\n')
    const headers = { 'content-type': 'application/x-ndjson' }
    const send = (query: string, raw: string) => hub.ask(`/api/v1/usage${query}`, { method: 'POST', key: 'admin', raw, headers })
    const batch = `?id=${randomUUID()}`
    const bad = await send(batch, lines(usageRecord(id), '{"device_id":', usageRecord(id, { status: 99 })))
    expect([bad.status, bad.json.errors.map(({ field }: { field: string }) => field)]).toEqual([400, ['line 2', 'line 3']])
    expect(await send('', lines(usageRecord(id)))).toMatchObject({ status: 400, json: { errors: [{ field: 'id' }] } })
    expect(await rows('select 1 from request_logs')).toEqual([])
    const good = Array.from({ length: 2_000 }, () => usageRecord(id))
    expect((await send(batch, lines(...good, ''))).json).toEqual({ stored: 2_000, unknown_devices: 0, duplicate: false })
    expect((await send(batch, lines(...good))).json).toMatchObject({ duplicate: true })
    const [device] = (await hub.ask('/api/v1/admin/devices', { key: 'admin' })).json.devices
    expect(device).toMatchObject({ total_requests: 2_000 })
  })

  test('leaves neither a query nor credentials in the log', async () => {
    const { id } = await hub.addDevice({ name: 'seoul-01' })
    const records = [usageRecord(id, { target: 'https://user:pa55@shop.com/a?token=s3cret#x' })]
    await report('admin', { id: randomUUID(), records })
    expect(await rows('select target_url, site from request_logs')).toEqual([{ target_url: 'https://shop.com/a', site: 'shop.com' }])
    hub = await hub.restart({ logQueryStrings: true })
    await report('admin', { id: randomUUID(), records })
    expect(await rows("select count(*)::int as n from request_logs where target_url = 'https://shop.com/a?token=s3cret'")).toEqual([
      { n: 1 },
    ])
  })
})
