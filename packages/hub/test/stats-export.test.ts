import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startHub, type TestHub } from './hub.ts'
import { loggedIn } from './logged-in.ts'
import { usageRecord } from './records.ts'

let hub: TestHub
let seoul: string
beforeAll(async () => {
  hub = await startHub({ passwordCost: 10 })
  seoul = (await hub.addDevice({ name: 'seoul-01', operator: '=1+1' })).id
})
afterAll(() => hub.remove())

const exported = (query: string, key = 'admin') => hub.ask(`/api/v1/stats/export?${query}`, { key })
const lines = (text: string): Record<string, unknown>[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))

test('the log is exported whole, each line once, although it is more than one page', async () => {
  const records = Array.from({ length: 2_500 }, (_, index) => usageRecord(seoul, { target: `shop.com/${index}` }))
  const raw = records.map((record) => JSON.stringify(record)).join('\n')
  const headers = { 'content-type': 'application/x-ndjson' }
  await hub.ask(`/api/v1/usage?id=${randomUUID()}`, { method: 'POST', key: 'admin', raw, headers })
  const answer = await exported('of=requests&format=ndjson&device=seoul-01')
  expect(answer.headers).toMatchObject({
    'content-type': 'application/x-ndjson; charset=utf-8',
    'content-disposition': 'attachment; filename="requests.ndjson"',
  })
  const targets = lines(answer.text).map(({ target }) => target)
  expect(targets).toHaveLength(2_500)
  expect(new Set(targets).size).toBe(2_500)
  const csv = (await exported('of=requests')).text.trimEnd().split('\n')
  expect(csv[0]).toMatch(/^at,device,exit_ip,target,site,/)
  expect(csv).toHaveLength(2_501)
})

test('a spreadsheet is given no formula, a JSON reader the text as it is', async () => {
  const userAgent = '=HYPERLINK("http://evil.example","x")'
  await hub.ask('/api/v1/usage', {
    method: 'POST',
    key: 'admin',
    body: { id: randomUUID(), records: [usageRecord(seoul, { user_agent: userAgent, outcome: 'banned', error: '@SUM(A1)' })] },
  })
  const csv = (await exported('of=requests&outcome=banned')).text
  expect(csv).toContain(`"'=HYPERLINK(""http://evil.example"",""x"")"`)
  expect(csv).toContain(",'@SUM(A1),")
  expect(lines((await exported('of=requests&outcome=banned&format=ndjson')).text)).toMatchObject([{ user_agent: userAgent }])
  expect((await exported('of=devices')).text).toContain(",seoul-01,'=1+1,")
})

test('devices come with their sums for each hour or day in which something went through them', async () => {
  const rows = lines((await exported('of=devices&format=ndjson&bucket=day&period=7d')).text)
  const total = (await hub.ask('/api/v1/stats/overview?period=7d', { key: 'admin' })).json.total
  expect(rows.reduce((sum, { requests }) => sum + Number(requests), 0)).toBe(total.requests)
  expect(rows[0]).toMatchObject({ device: 'seoul-01', banned: 1 })
  expect((await exported('of=devices&from=2026-01-01&to=2026-01-02')).text).toMatch(/^start,device,[^\n]*\n$/)
})

test('addresses and rotations are exported', async () => {
  for (const from of ['127.10.1.1', '127.10.1.2']) await hub.ask('/proxy_server?name=seoul-01', { from })
  await expect
    .poll(async () => lines((await exported('of=ips&format=ndjson')).text).map(({ ip }) => ip), { timeout: 20_000 })
    .toEqual(['127.10.1.2', '127.10.1.1'])
  const device = { name: 'omsk-05', proxy_url: 'http://127.0.0.1:9', rotation_url: 'http://127.0.0.1:9/?token=hunter2' }
  await hub.addDevice(device)
  const rotate = await hub.ask('/api/v1/admin/devices/omsk-05/rotate', { method: 'POST', key: 'admin', body: {} })
  expect(rotate.status).toBe(202)
  const { text } = await exported('of=rotations&format=ndjson&device=omsk-05')
  expect(lines(text)).toMatchObject([{ device: 'omsk-05', trigger: 'forced', id: rotate.json.rotation.id }])
  expect((await exported('of=rotations')).text).not.toContain('hunter2')
})

test('who is no admin exports his own lines of the log', async () => {
  const boris = await loggedIn(hub, 'boris')
  expect((await exported('of=requests&format=ndjson', boris.token)).text).toBe('')
})

test.each([
  ['of=rotations&site=shop.com', 'site'],
  ['of=everything', 'of'],
  ['format=xlsx', 'format'],
  ['of=devices&to=2026-01-02', 'from'],
])('%s is refused, naming %s', async (query, field) => {
  expect(await exported(query)).toMatchObject({ status: 400, json: { code: 'bad_request', errors: [{ field }] } })
})
