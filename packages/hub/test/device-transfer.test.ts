import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { importReply } from '@mobilepool/sdk/contract'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ADMIN_KEY, startHub, type TestHub } from './hub.ts'

const run = promisify(execFile)
const DEVICES = '/api/v1/admin/devices'

let hub: TestHub
beforeAll(async () => {
  hub = await startHub({ maxDevices: 30 })
})
afterAll(() => hub.remove())

const send = async (query: string, raw: string, type = 'text/csv') => {
  const answer = await hub.ask(`${DEVICES}/import?${query}`, { method: 'POST', key: 'admin', raw, headers: { 'content-type': type } })
  return { ...answer, reply: answer.status === 200 ? importReply.parse(answer.json) : null }
}
const names = async (): Promise<string[]> =>
  (await hub.ask(DEVICES, { key: 'admin' })).json.devices.map(({ name }: { name: string }) => name)
const get = async (name: string) => (await hub.ask(`${DEVICES}/${encodeURIComponent(name)}`, { key: 'admin' })).json
const remove = async (): Promise<void> => {
  for (const name of await names()) await hub.ask(`${DEVICES}/${encodeURIComponent(name)}`, { method: 'DELETE', key: 'admin' })
}

describe('an import of CSV', () => {
  test('adds devices, as curl sends it', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'mobilepool-import-'))
    const file = join(dir, 'devices.csv')
    await writeFile(
      file,
      '\uFEFFname;device_type;proxy_url;operator;tags;requests_per_minute;auto_rotation\r\n' +
        'seoul-01;android;http://u:p@10.0.0.5:8080;SKT;farm-1|fast;100;no\r\n' +
        '\r\n' +
        'дом-02;;;"МТС; Москва";;;\r\n',
    )
    const { stdout } = await run('curl', [
      '-fsS',
      '-H',
      `Authorization: Bearer ${ADMIN_KEY}`,
      '-H',
      'Content-Type: text/csv',
      '--data-binary',
      `@${file}`,
      `${hub.url}${DEVICES}/import?format=csv`,
    ])
    await rm(dir, { recursive: true })
    expect(JSON.parse(stdout)).toEqual({
      applied: true,
      dry_run: false,
      added: ['seoul-01', 'дом-02'],
      updated: [],
      would_add: [],
      would_update: [],
      skipped: [],
      errors: [],
    })
    expect(await get('seoul-01')).toMatchObject({
      device_type: 'android',
      proxy_url: 'http://u:p@10.0.0.5:8080',
      tags: ['farm-1', 'fast'],
      requests_per_minute: 100,
      auto_rotation: false,
    })
    expect(await get('дом-02')).toMatchObject({ device_type: 'generic', operator: 'МТС; Москва' })
  })

  test('with a wrong line changes nothing, and names line and field of all that is wrong', async () => {
    const before = await names()
    const file =
      'name,device_type,weight,colour\nbusan-03,android,1,\nkazan-02,toaster,heavy,\nseoul-01,android,1,\nbusan-03,android,1,\n,android,1,red\n'
    const { reply } = await send('format=csv', file)
    expect(reply).toMatchObject({ applied: false, added: [], would_add: ['busan-03'] })
    expect(reply?.errors.map(({ line, name, field }) => `${line} ${name} ${field}`)).toEqual([
      '3 kazan-02 device_type',
      '3 kazan-02 weight',
      '4 seoul-01 name',
      '5 busan-03 name',
      '6 null name',
      '6 null colour',
    ])
    expect(await names()).toEqual(before)
  })

  test('with partial=true takes what is right, with dry_run=true nothing', async () => {
    const file = 'name,port\nbusan-03,\nkazan-02,99999\n'
    const before = await names()
    expect((await send('format=csv&partial=true&dry_run=true', file)).reply).toMatchObject({
      applied: false,
      dry_run: true,
      added: [],
      updated: [],
      would_add: ['busan-03'],
      would_update: [],
    })
    expect(await names()).toEqual(before)
    expect((await send('format=csv&partial=true', file)).reply).toMatchObject({
      applied: true,
      added: ['busan-03'],
      would_add: [],
      errors: [{ line: 3, field: 'port' }],
    })
    expect(await names()).toEqual([...before, 'busan-03'].toSorted((a, b) => (a < b ? -1 : 1)))
  })

  test('skips or updates devices that are there, as it is told; a pending name is adopted', async () => {
    const file = 'name,region\nbusan-03,Busan\nomsk-05,Omsk\n'
    await hub.ask('/proxy_server?name=omsk-05', { from: '127.10.5.5' })
    const heard = await get('omsk-05')
    expect((await send('format=csv&existing=skip', file)).reply).toMatchObject({ added: ['omsk-05'], skipped: ['busan-03'] })
    expect(await get('omsk-05')).toMatchObject({ id: heard.id, status: 'online', region: 'Omsk' })
    expect((await get('busan-03')).region).toBeNull()
    expect((await send('format=csv&existing=update&dry_run=true', file)).reply).toMatchObject({
      updated: [],
      would_update: ['busan-03', 'omsk-05'],
    })
    expect((await send('format=csv&existing=update', file)).reply).toMatchObject({ updated: ['busan-03', 'omsk-05'] })
    expect((await get('busan-03')).region).toBe('Busan')
  })

  test.each([
    ['an open quote', 'name\n"busan-03\n', 'is no CSV'],
    ['a row of another length', 'name,region\na,b,c\n', 'is no CSV'],
  ])('that is broken (%s) is refused as a whole', async (_case, file, message) => {
    const { reply } = await send('format=csv', file)
    expect(reply).toMatchObject({ applied: false, added: [], errors: [{ field: 'content', message: expect.stringContaining(message) }] })
  })

  test('past MAX_DEVICES is refused', async () => {
    const file = `name\n${Array.from({ length: 40 }, (_, n) => `many-${n}`).join('\n')}\n`
    const { reply } = await send('format=csv', file)
    expect(reply?.errors[0]?.message).toContain('MAX_DEVICES')
    expect(reply?.applied).toBe(false)
  })
})

test('a list of proxies is taken in every usual spelling, with names made up', async () => {
  await remove()
  const file = [
    '# our boxes',
    'http://u:p@10.0.0.1:8001',
    '10.0.0.2:8002',
    'u:p@10.0.0.3:8003',
    '10.0.0.4:8004:us:er',
    'us:er:10.0.0.5:8005',
    'socks5://u:p@10.0.0.6',
    'secret-nonsense-line',
  ].join('\n')
  const { reply, text } = await send('format=list&partial=true&name_prefix=box', file, 'text/plain')
  expect(reply?.added).toEqual([
    'box-10.0.0.1-8001',
    'box-10.0.0.2-8002',
    'box-10.0.0.3-8003',
    'box-10.0.0.4-8004',
    'box-10.0.0.5-8005',
    'box-10.0.0.6-default',
  ])
  expect(reply?.errors).toMatchObject([{ line: 8, field: 'proxy_url' }])
  expect(text).not.toContain('secret-nonsense')
  expect((await get('box-10.0.0.4-8004')).proxy_url).toBe('http://us:er@10.0.0.4:8004')
  expect((await get('box-10.0.0.5-8005')).proxy_url).toBe('http://us:er@10.0.0.5:8005')
  expect((await get('box-10.0.0.6-default')).proxy_url).toBe('socks5://u:p@10.0.0.6:1080')
})

test('what Scrapoxy knew of Proxidize and XProxy boxes is taken over', async () => {
  await remove()
  const proxy = (type: string, key: string, port: number, auth: object | null) => ({
    type,
    key,
    name: type === 'xproxy' ? `192.168.1.10:${port}` : `modem ${key}`,
    status: 'STARTED',
    config: { type: 'http', address: { hostname: '192.168.1.10', port }, auth },
  })
  const storage = {
    projects: [
      {
        name: 'scraping',
        connectors: [
          { type: 'xproxy', proxies: [proxy('xproxy', '1', 4001, null), proxy('xproxy', '2', 4002, null)] },
          { type: 'proxidize', proxies: [proxy('proxidize', '7', 2007, { username: 'u', password: 'p:w' })] },
        ],
        proxies: [proxy('xproxy', '1', 4001, null)],
      },
    ],
  }
  const { reply } = await send('format=scrapoxy', JSON.stringify(storage), 'application/json')
  expect(reply).toMatchObject({ applied: true, added: ['192.168.1.10-4001', '192.168.1.10-4002', 'modem-7'] })
  expect(await get('modem-7')).toMatchObject({
    proxy_url: 'http://u:p%3Aw@192.168.1.10:2007',
    device_type: 'usb_modem',
    tags: ['scrapoxy', 'proxidize'],
  })
  expect(await get('modem-7')).toMatchObject({ rotation_url_set: false })
  // A box rotates its modems by a known link; nobody expects that an import begins with it.
  expect(await get('192.168.1.10-4002')).toMatchObject({ rotation_url_set: true, auto_rotation: false })
  const modems = { data: [{ position: 3, host: '192.168.1.11', proxy_port: 4003, public_ip: '1.2.3.4' }] }
  expect((await send('format=scrapoxy', JSON.stringify(modems), 'application/json')).reply?.added).toEqual(['xproxy-192.168.1.11-3'])
  expect((await send('format=scrapoxy', '{"projects":[]}')).reply?.errors).toMatchObject([{ field: 'content' }])
})

describe('an export', () => {
  beforeAll(async () => {
    await remove()
    await hub.addDevice({ name: 'evil-01', operator: '=HYPERLINK("http://evil")', region: '@SUM(A1)', tags: ['+1', 'b'], weight: 2 })
    await hub.addDevice({ name: 'seoul-01', proxy_url: 'socks5://jean:correct-horse@10.0.0.5:1080', data_cap_bytes: 5_000_000_000 })
  })

  test.each(['csv', 'json'] as const)('as %s comes back by an import as it was, without passwords', async (format) => {
    const { text, headers } = await hub.ask(`${DEVICES}/export?format=${format}`, { key: 'admin' })
    expect(headers['content-disposition']).toContain(`devices.${format}`)
    expect(text).not.toContain('correct-horse')
    const before = [await get('evil-01'), await get('seoul-01')]
    await remove()
    expect((await send(`format=${format}`, text, 'text/plain')).reply).toMatchObject({
      applied: true,
      added: ['evil-01', 'seoul-01'],
      errors: [],
    })
    const after = [await get('evil-01'), await get('seoul-01')]
    for (const [index, device] of after.entries())
      for (const field of ['operator', 'region', 'tags', 'weight', 'data_cap_bytes', 'rotation_interval', 'ip_address', 'port'])
        expect(device[field], field).toEqual(before[index][field])
    expect(after[1].proxy_url).toBe('socks5://10.0.0.5:1080')
    await hub.ask(`${DEVICES}/seoul-01`, {
      method: 'PATCH',
      key: 'admin',
      body: { proxy_url: 'socks5://jean:correct-horse@10.0.0.5:1080' },
    })
  })

  test('as CSV has no cell that a spreadsheet runs', async () => {
    const { text } = await hub.ask(`${DEVICES}/export`, { key: 'admin' })
    expect(text.split(/[,\n]/).filter((cell) => /^"?[=+\-@]/.test(cell))).toEqual([])
  })

  test('has passwords only for an admin who asks for them', async () => {
    const { text } = await hub.ask(`${DEVICES}/export?format=list&credentials=true`, { key: 'admin' })
    expect(text).toBe('socks5://jean:correct-horse@10.0.0.5:1080\n')
    expect((await hub.ask(`${DEVICES}/export?format=list`, { key: 'admin' })).json.errors).toMatchObject([{ field: 'credentials' }])
    expect((await hub.ask(`${DEVICES}/export?credentials=true`, { key: await hub.parserKey() })).status).toBe(403)
    expect(hub.log()).not.toContain('correct-horse')
  })
})
