import { apiKey, device, deviceList, keyCreateReply, problem } from '@mobilepool/sdk/contract'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startHub, type TestHub } from './hub.ts'

const PROXY = 'http://jean:correct-horse@10.0.0.5:8080'
const DEVICES = '/api/v1/admin/devices'

let hub: TestHub
let parser: string
beforeAll(async () => {
  hub = await startHub({ maxDevices: 8 })
  parser = await hub.parserKey()
})
afterAll(() => hub.remove())

const admin = (path: string, method = 'GET', body?: unknown) =>
  hub.ask(path, { method, key: 'admin', ...(body === undefined ? {} : { body }) })

describe('devices', () => {
  test('are added with defaults, found by name and by id', async () => {
    const added = await hub.addDevice({ name: 'seoul-01' })
    expect(device.parse(added)).toMatchObject({
      name: 'seoul-01',
      kind: 'bare',
      device_type: 'generic',
      status: 'offline',
      exit_ip: null,
      rotation_interval: 600,
      auto_rotation: true,
      weight: 1,
      tags: [],
    })
    expect((await admin(`${DEVICES}/seoul-01`)).json).toEqual(added)
    expect((await admin(`${DEVICES}/${added.id}`)).json).toEqual(added)
  })

  test('are changed field by field by PUT and PATCH alike, and survive a rename', async () => {
    const { id } = await hub.addDevice({ name: 'moscow-07', operator: 'МТС', proxy_url: PROXY })
    const patched = await admin(`${DEVICES}/moscow-07`, 'PATCH', { region: 'Moscow', tags: ['farm-1'] })
    expect(patched.json).toMatchObject({ id, operator: 'МТС', region: 'Moscow', tags: ['farm-1'], proxy_url: PROXY })
    const put = await admin(`${DEVICES}/${id}`, 'PUT', { name: 'moscow-08', operator: null, weight: 2.5 })
    expect(put.json).toMatchObject({ id, name: 'moscow-08', operator: null, region: 'Moscow', weight: 2.5 })
    expect((await admin(`${DEVICES}/moscow-07`)).status).toBe(404)
    expect((await hub.ask('/proxy_server?name=moscow-08')).status).toBe(200)
    expect((await admin(`${DEVICES}/moscow-08`)).json).toMatchObject({
      id,
      status: 'online',
      exit_ip: '127.0.0.1',
      ip_since: expect.any(String),
    })
  })

  test('keep the specification’s fields: address and port, limits, data plan', async () => {
    const added = await hub.addDevice({
      name: 'kazan-09',
      ip_address: '10.0.0.9',
      port: 3128,
      requests_per_minute: 100,
      concurrency: 4,
      data_cap_bytes: 50_000_000_000,
      data_cap_day: 31,
    })
    expect(device.parse(added)).toMatchObject({
      proxy_url: 'http://10.0.0.9:3128',
      ip_address: '10.0.0.9',
      port: 3128,
      requests_per_minute: 100,
      concurrency: 4,
      data_cap_bytes: 50_000_000_000,
      data_cap_day: 31,
      rotation_success_rate: null,
      condition: 'silent',
      telemetry: null,
      total_requests: 0,
      successful_requests: 0,
      failed_requests: 0,
      avg_response_time_ms: null,
    })
    const moved = await admin(`${DEVICES}/kazan-09`, 'PATCH', { port: 1080 })
    expect(moved.json).toMatchObject({ proxy_url: 'http://10.0.0.9:1080' })
    const socks = await admin(`${DEVICES}/kazan-09`, 'PATCH', { proxy_url: 'socks5h://jean:correct-horse@[2001:db8::1]/' })
    expect(socks.json).toMatchObject({
      ip_address: '[2001:db8::1]',
      port: 1080,
      proxy_url: 'socks5h://jean:correct-horse@[2001:db8::1]:1080',
    })
    await admin(`${DEVICES}/kazan-09`, 'DELETE')
  })

  test('whose name has combining marks are one device, however the name is spelled', async () => {
    const composed = 'दिल्ली-कोल्न-K\u00f6ln'
    const { id } = await hub.addDevice({ name: composed })
    expect((await hub.ask(`/proxy_server?name=${encodeURIComponent(composed.normalize('NFD'))}`)).json.name).toBe(composed)
    expect((await admin(`${DEVICES}/${encodeURIComponent(composed.normalize('NFD'))}`)).json).toMatchObject({ id, status: 'online' })
    await admin(`${DEVICES}/${id}`, 'DELETE')
  })

  test('that were only heard are pending, and keep their history when adopted', async () => {
    await hub.ask('/proxy_server?name=busan-03', { from: '127.10.3.1' })
    await hub.ask('/proxy_server?name=busan-03', { from: '127.10.3.2' })
    const pending = (await admin(`${DEVICES}/busan-03`)).json
    expect(pending.status).toBe('pending')
    expect((await hub.ask('/api/v1/proxy/list', { key: parser })).text).not.toContain('busan-03')
    const adopted = await hub.addDevice({ name: 'busan-03', device_type: 'usb_modem', rotation_interval: 300 })
    expect(adopted).toMatchObject({
      id: pending.id,
      status: 'online',
      exit_ip: '127.10.3.2',
      ip_changes: 1,
      device_type: 'usb_modem',
      rotation_interval: 300,
      created_at: pending.created_at,
    })
    expect((await hub.ask('/api/v1/proxy/list', { key: parser })).text).toContain('busan-03')
  })

  test('of a name that is taken are refused, when added and when renamed', async () => {
    const added = await admin(DEVICES, 'POST', { name: 'seoul-01' })
    expect(problem.parse(added.json)).toMatchObject({ code: 'device_exists', status: 409 })
    expect((await admin(`${DEVICES}/busan-03`, 'PATCH', { name: 'seoul-01' })).json.code).toBe('device_exists')
  })

  test('go into maintenance and out of it', async () => {
    expect((await admin(`${DEVICES}/busan-03`, 'PATCH', { maintenance: true })).json.status).toBe('maintenance')
    expect((await admin(`${DEVICES}/busan-03`, 'PATCH', { maintenance: false })).json.status).toBe('online')
  })

  test('are removed with their keys', async () => {
    await hub.addDevice({ name: 'omsk-05' })
    const { json: key } = await admin('/api/v1/keys', 'POST', { name: 'omsk', scope: 'device', device: 'omsk-05' })
    expect((await admin(`${DEVICES}/omsk-05`, 'DELETE')).status).toBe(204)
    expect((await admin(`${DEVICES}/omsk-05`, 'DELETE')).status).toBe(404)
    expect((await hub.ask('/api/v1/agents/commands?wait=0', { key: key.key })).status).toBe(401)
  })

  test('that are removed while they are changed stay removed', async () => {
    for (let round = 0; round < 10; round++) {
      const { id } = await hub.addDevice({ name: 'short-lived' })
      const change = () => hub.ask(`/api/v1/admin/devices/${id}`, { method: 'PATCH', key: 'admin', body: { weight: 2 } })
      const remove = () => hub.ask(`/api/v1/admin/devices/${id}`, { method: 'DELETE', key: 'admin' })
      const answers = await Promise.all([change(), remove(), change(), change()])
      expect(answers[1].status).toBe(204)
      expect((await hub.ask(`/api/v1/admin/devices/${id}`, { key: 'admin' })).status).toBe(404)
    }
  })

  test('survive a restart of the hub, credentials and all', async () => {
    const before = (await admin(DEVICES)).json
    hub = await hub.restart()
    const after = (await admin(DEVICES)).json
    expect(deviceList.parse(after).devices).toEqual(before.devices)
    expect((await hub.ask('/api/v1/proxy/list', { key: parser })).status).toBe(200)
  })

  test('past MAX_DEVICES are refused with the limit named', async () => {
    const statuses: number[] = []
    for (let n = 0; n < 8; n++) statuses.push((await admin(DEVICES, 'POST', { name: `extra-${n}` })).status)
    expect(statuses).toEqual([201, 201, 201, 201, 201, 409, 409, 409])
    expect((await admin(DEVICES, 'POST', { name: 'one-more' })).json).toMatchObject({
      code: 'device_limit',
      detail: expect.stringContaining('8'),
    })
    for (let n = 0; n < 5; n++) await admin(`${DEVICES}/extra-${n}`, 'DELETE')
  })
})

describe('the parsers’ list', () => {
  test.each([
    ['', ['busan-03', 'kazan-02', 'moscow-08', 'seoul-01']],
    ['?operator=BEELINE', ['kazan-02']],
    ['?operator=beeline&region=kazan&tag=Slow&type=android', ['kazan-02']],
    ['?operator=beeline&region=Moscow', []],
    ['?tag=farm-1', ['moscow-08']],
    ['?type=usb_modem', ['busan-03']],
    ['?status=online', ['busan-03', 'moscow-08']],
  ])('with the filter "%s" holds %j', async (query, names) => {
    if (query === '')
      await hub.addDevice({ name: 'kazan-02', operator: 'Beeline', region: 'Kazan', tags: ['slow'], device_type: 'android' })
    const { json } = await hub.ask(`/api/v1/proxy/list${query}`, { key: parser })
    expect(deviceList.parse(json).devices.map(({ name }) => name)).toEqual(names)
    expect(json.total).toBe(names.length)
  })

  test('refuses a filter that cannot be', async () => {
    expect((await hub.ask('/api/v1/proxy/list?status=awake', { key: parser })).json).toMatchObject({
      code: 'bad_request',
      errors: [{ field: 'status' }],
    })
  })
})

describe('a request that is not valid', () => {
  test.each([
    ['a device without a name', DEVICES, { device_type: 'android' }, 400, 'name'],
    ['an unknown type', DEVICES, { name: 'x', device_type: 'toaster' }, 400, 'device_type'],
    ['a field that does not exist', DEVICES, { name: 'x', colour: 'red' }, 400, 'body'],
    ['half an address', DEVICES, { name: 'x', ip_address: '10.0.0.1' }, 400, 'port'],
    ['two addresses', DEVICES, { name: 'x', proxy_url: PROXY, port: 80 }, 400, 'proxy_url'],
    ['an address with a port in it', DEVICES, { name: 'x', ip_address: '10.0.0.1:80', port: 80 }, 400, 'ip_address'],
    ['a data plan that begins on the 32nd', DEVICES, { name: 'x', data_cap_day: 32 }, 400, 'data_cap_day'],
    ['a limit of nothing', DEVICES, { name: 'x', requests_per_minute: 0 }, 400, 'requests_per_minute'],
    ['a proxy URL of another kind', DEVICES, { name: 'x', proxy_url: 'ftp://10.0.0.1' }, 400, 'proxy_url'],
    ['a key for a device, without the device', '/api/v1/keys', { name: 'x', scope: 'device' }, 400, 'device'],
    ['a key of no scope', '/api/v1/keys', { name: 'x', scope: 'root' }, 400, 'scope'],
  ])('(%s) names the field', async (_case, path, body, status, field) => {
    const answer = await admin(path, 'POST', body)
    expect(answer.status).toBe(status)
    expect(problem.parse(answer.json).errors?.[0]?.field).toBe(field)
  })

  test('(broken JSON) is 400, (another type) 415, (too large) 413, (no such route) 404, all of them problems with a request id', async () => {
    const post = (raw: string, type = 'application/json') =>
      hub.ask(DEVICES, { method: 'POST', key: 'admin', raw, headers: { 'content-type': type } })
    const answers = [
      await post('{"name":'),
      await post('name=x', 'text/plain'),
      await post(`{"name":"${'x'.repeat(70_000)}"}`),
      await admin('/api/v1/nothing'),
    ]
    expect(answers.map(({ json }) => [json.status, json.code])).toEqual([
      [400, 'bad_request'],
      [415, 'unsupported_media_type'],
      [413, 'body_too_large'],
      [404, 'not_found'],
    ])
    for (const { json, headers } of answers) {
      problem.parse(json)
      expect(json.instance).toBe(`urn:uuid:${headers['x-request-id']}`)
    }
  })

  test.each([
    ['PUT', DEVICES, 'GET, HEAD, POST'],
    ['POST', `${DEVICES}/seoul-01`, 'DELETE, GET, HEAD, PATCH, PUT'],
    ['POST', '/proxy_server', 'GET'],
    ['DELETE', '/api/v1/keys', 'GET, HEAD, POST'],
  ])('(%s %s) is 405 and says what is allowed: %s', async (method, path, allow) => {
    const { status, headers, json } = await hub.ask(path, { method, key: 'admin' })
    expect(problem.parse(json)).toMatchObject({ code: 'method_not_allowed', detail: expect.stringContaining(allow) })
    expect([status, headers.allow]).toEqual([405, allow])
  })

  test('(a prototype in JSON) is refused', async () => {
    expect((await hub.ask(DEVICES, { method: 'POST', key: 'admin', raw: '{"name":"x","__proto__":{"a":1}}' })).status).toBe(400)
  })
})

describe('keys', () => {
  test('are made, listed without the secret, and revoked', async () => {
    const made = keyCreateReply.parse((await admin('/api/v1/keys', 'POST', { name: 'night parser', scope: 'proxy' })).json)
    expect(made.key).toMatch(/^mp_[A-Za-z0-9_-]{43}$/)
    expect(made.key.startsWith(made.prefix)).toBe(true)
    const list = await admin('/api/v1/keys')
    expect(list.text).not.toContain(made.key)
    const listed = list.json.keys.find(({ id }: { id: string }) => id === made.id)
    expect(apiKey.parse(listed)).toMatchObject({ name: 'night parser', scope: 'proxy', revoked_at: null })
    expect((await hub.ask('/api/v1/proxy/list', { key: made.key })).status).toBe(200)
    expect((await admin(`/api/v1/keys/${made.id}`, 'DELETE')).status).toBe(204)
    const refused = await hub.ask('/api/v1/proxy/list', { key: made.key })
    expect(refused.status).toBe(401)
    expect(refused.headers['www-authenticate']).toContain('Bearer')
    expect((await admin('/api/v1/keys/00000000-0000-4000-8000-000000000000', 'DELETE')).status).toBe(404)
  })

  test.each([
    ['GET', DEVICES, 403],
    ['POST', DEVICES, 403],
    ['GET', '/api/v1/keys', 403],
    ['POST', '/api/v1/keys', 403],
    ['POST', '/api/v1/agents/tokens', 403],
    ['GET', '/api/v1/agents/commands?wait=0', 403],
    ['GET', '/api/v1/proxy/list', 200],
    ['GET', '/api/v1/rotations', 200],
    ['GET', '/status', 200],
  ])('of a parser at %s %s: %d; without a key nobody gets further', async (method, path, status) => {
    expect((await hub.ask(path, { method, key: parser })).status).toBe(status)
    if (path !== '/status') expect((await hub.ask(path, { method })).status).toBe(401)
  })
})

describe('what everybody may ask', () => {
  test('the echo says the address that the hub sees', async () => {
    expect((await hub.ask('/api/v1/echo', { from: '127.10.4.4' })).json).toEqual({ ip: '127.10.4.4' })
  })
  test('health and readiness', async () => {
    expect((await hub.ask('/healthz')).json).toEqual({ status: 'ok' })
    expect((await hub.ask('/readyz')).json).toEqual({ status: 'ok', database: 'up', waiting: 0 })
  })
  test('the public status shows no credentials', async () => {
    const { text } = await hub.ask('/status')
    expect(text).toContain('moscow-08')
    expect(text).not.toContain('correct-horse')
    expect(text).not.toContain('10.0.0.5')
  })
  test('OpenAPI describes every route', async () => {
    const { json } = await hub.ask('/openapi.json')
    expect(json.openapi).toBe('3.1.0')
    const operations = Object.entries(json.paths as Record<string, Record<string, unknown>>).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    )
    for (const operation of [
      'get /proxy_server',
      'get /status',
      'put /api/v1/admin/devices/{id}',
      'get /api/v1/events',
      'post /api/v1/agents/commands/{id}',
    ])
      expect(operations).toContain(operation)
  })
  test('without PUBLIC_STATUS it takes a key, and says so', async () => {
    const closed = await startHub({ publicStatus: false })
    for (const path of ['/status', '/api/v1/events']) {
      const { status, json } = await closed.ask(path)
      expect(status).toBe(401)
      expect(json.detail).toContain('PUBLIC_STATUS')
    }
    expect((await closed.ask('/status', { key: 'admin' })).status).toBe(200)
    expect((await closed.ask('/healthz')).status).toBe(200)
    await closed.remove()
  })
  test('pages of other origins may read it only where CORS_ORIGINS says so', async () => {
    const headers = { origin: 'https://page.example' }
    expect((await hub.ask('/status', { headers })).headers['access-control-allow-origin']).toBeUndefined()
    const open = await startHub({ corsOrigins: ['https://page.example'] })
    expect((await open.ask('/status', { headers })).headers['access-control-allow-origin']).toBe('https://page.example')
    expect((await open.ask('/status', { headers: { origin: 'https://evil.example' } })).headers['access-control-allow-origin']).not.toBe(
      'https://evil.example',
    )
    const preflight = await open.ask('/api/v1/proxy/list', {
      method: 'OPTIONS',
      headers: { ...headers, 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization' },
    })
    expect(preflight.status).toBe(204)
    expect(preflight.headers['access-control-allow-headers']).toContain('authorization')
    await open.remove()
  })
})

test('no secret that this file used is in the log', () => {
  for (const secret of [
    'correct-horse',
    'SECRET-KEY-9876',
    'SECRET-TOKEN-5432',
    parser,
    'mp_test-admin-key-0123456789abcdef',
    'a secret key of the tests',
  ])
    expect(hub.log()).not.toContain(secret)
})
