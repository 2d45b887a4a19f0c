import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { type RotationJson, rotateReply, rotation } from '@mobilepool/sdk/contract'
import { createProxyServer } from '@mobilepool/sdk/proxy-server'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { startHub, type TestHub } from './hub.ts'
import { LINK_TOKEN, type MobileBox, type OnCall, rotatesTo, startBox } from './mobile-box.ts'

let hub: TestHub
const boxes: MobileBox[] = []
beforeAll(async () => {
  hub = await startHub({ rotationDrainMs: 50, rotationTimeoutMs: 5_000, rotationRetryDelayMs: 100, rotationMaxParallel: 1 })
})
afterEach(async () => {
  for (const box of boxes.splice(0)) await box.close()
})
afterAll(async () => {
  expect(hub.log()).not.toContain(LINK_TOKEN)
  expect(hub.log()).not.toContain('pr0xy-passw0rd')
  await hub.remove()
})

/** A bare device with a box of its own. */
async function boxed(name: string, exit: string, onCall: OnCall, over: Record<string, unknown> = {}): Promise<MobileBox> {
  const box = await startBox(exit, onCall)
  boxes.push(box)
  await hub.addDevice({ name, proxy_url: box.proxyUrl, rotation_url: box.link, auto_rotation: false, ...over })
  return box
}

const rotate = async (name: string, body: Record<string, unknown> = {}): Promise<RotationJson> => {
  const answer = await hub.ask(`/api/v1/admin/devices/${name}/rotate`, { method: 'POST', key: 'admin', body })
  expect(answer.status, answer.text).toBe(202)
  return rotateReply.parse(answer.json).rotation
}

const ended = (id: string): Promise<RotationJson> =>
  vi.waitFor(
    async () => {
      const answer = await hub.ask(`/api/v1/rotations/${id}`, { key: 'admin' })
      expect(answer.text).not.toContain(LINK_TOKEN)
      const found = rotation.parse(answer.json)
      expect(found.ended_at).not.toBeNull()
      return found
    },
    { timeout: 30_000, interval: 50 },
  )
const go = async (name: string, body: Record<string, unknown> = {}): Promise<RotationJson> => ended((await rotate(name, body)).id)

test.runIf(process.getuid?.() === 0 || process.env.CI)(
  'a modem of an XProxy box, imported from Scrapoxy, rotates by the box (port 80: root)',
  async () => {
    let exit = '127.44.0.11'
    const box = createServer((request, reply) => {
      if (request.url === `/api/v1/rotate_ip/proxy/127.44.0.1:${port}`) exit = '127.44.0.12'
      reply.end('{"status":true,"msg":"command_sent"}')
    })
    const proxy = createProxyServer({ connect: (target) => connect({ ...target, localAddress: exit, allowHalfOpen: true }) })
    const { port } = await proxy.listen(0, '127.44.0.1')
    await once(box.listen(80, '127.44.0.1'), 'listening')
    try {
      const raw = JSON.stringify({ data: [{ position: 3, host: '127.44.0.1', proxy_port: port }] })
      const headers = { 'content-type': 'application/json' }
      const imported = await hub.ask('/api/v1/admin/devices/import?format=scrapoxy', { method: 'POST', key: 'admin', raw, headers })
      expect(imported.json).toMatchObject({ added: ['xproxy-127.44.0.1-3'] })
      expect(await go('xproxy-127.44.0.1-3')).toMatchObject({ state: 'changed', old_ip: '127.44.0.11', new_ip: '127.44.0.12' })
    } finally {
      box.closeAllConnections()
      await Promise.all([proxy.close(), new Promise((resolve) => box.close(resolve))])
    }
  },
)

describe('a bare device with a rotation URL', () => {
  test('gets a new exit IP, measured through its own proxy before and after', async () => {
    const box = await boxed('omsk-05', '127.20.5.1', rotatesTo('127.20.5.2'))
    const done = await go('omsk-05')
    expect(done).toMatchObject({
      state: 'changed',
      method: 'api_call',
      old_ip: '127.20.5.1',
      new_ip: '127.20.5.2',
      attempt: 1,
      attempts: [{ number: 1, cause: 'asked', outcome: 'changed', old_ip: '127.20.5.1', new_ip: '127.20.5.2' }],
    })
    expect(box.calls).toHaveLength(1)
    const device = (await hub.ask('/api/v1/admin/devices/omsk-05', { key: 'admin' })).json
    expect(device).toMatchObject({ exit_ip: '127.20.5.2', rotation_url_set: true, rotation_token_set: false })
    expect(JSON.stringify(device)).not.toContain(LINK_TOKEN)
  })

  test('whose link says "ok" and does nothing is unchanged: the answer proves nothing', async () => {
    await boxed('kazan-02', '127.20.2.1', (_box, reply) => void reply.end('{"status":"OK","new_ip":"198.51.100.7"}'), {
      rotation_max_time: 2,
    })
    expect(await go('kazan-02')).toMatchObject({ state: 'unchanged', old_ip: '127.20.2.1', new_ip: '127.20.2.1' })
  })

  test('that has no proxy is judged by its heartbeats', async () => {
    const box = await boxed('tula-01', '127.20.1.1', rotatesTo('127.20.1.2'), { proxy_url: null })
    await hub.ask('/proxy_server?name=tula-01', { from: '127.20.1.1' })
    const { id } = await rotate('tula-01')
    await vi.waitFor(() => expect(box.exit).toBe('127.20.1.2'), { timeout: 10_000 })
    await hub.ask('/proxy_server?name=tula-01', { from: '127.20.1.2' })
    expect(await ended(id)).toMatchObject({ state: 'changed', old_ip: '127.20.1.1', new_ip: '127.20.1.2' })
  })

  test('of which nothing is seen afterwards has failed, and the record says what would help', async () => {
    await boxed('perm-01', '127.20.9.1', (_box, reply) => void reply.end('{"ok":1}'), { proxy_url: null, rotation_max_time: 1 })
    expect(await go('perm-01')).toMatchObject({ state: 'failed', reason: 'probe_failed', detail: expect.stringContaining('EXIT_IP_URL') })
  })

  test('that goes away and does not come back has failed', async () => {
    const away: OnCall = (box, reply) => {
      box.isAway = true
      reply.end('{"ok":1}')
    }
    await boxed('tver-01', '127.20.8.1', away, { rotation_max_time: 3 })
    expect(await go('tver-01')).toMatchObject({ state: 'failed', reason: 'probe_failed', new_ip: null })
  })
})

describe('a link', () => {
  test('gets method, headers, body and token as they are set, with placeholders filled in', async () => {
    const box = await boxed('sochi-01', '127.20.7.1', rotatesTo('127.20.7.2', 0), {
      rotation_http_method: 'POST',
      rotation_headers: { 'X-Key': 'k-{token}' },
      rotation_body: '{"token":"{token}","modem":"{device}"}',
      rotation_token: 'pa"ss/w0rd',
    })
    expect((await go('sochi-01')).state).toBe('changed')
    expect(box.calls[0]).toMatchObject({ method: 'POST', body: '{"token":"pa\\"ss/w0rd","modem":"sochi-01"}' })
    expect(box.calls[0]?.headers).toMatchObject({ 'x-key': 'k-pa"ss/w0rd', 'content-type': 'application/json' })
    expect(box.calls[0]?.headers.authorization).toBeUndefined()
    await hub.ask('/api/v1/admin/devices/sochi-01', {
      method: 'PATCH',
      key: 'admin',
      body: { rotation_http_method: 'GET', rotation_headers: null, rotation_body: null },
    })
    box.exit = '127.20.7.1'
    expect((await go('sochi-01')).state).toBe('changed')
    expect(box.calls[1]).toMatchObject({ method: 'GET', body: '', headers: { authorization: 'Bearer pa"ss/w0rd' } })
  })

  test.each([
    ['says no', (reply) => reply.writeHead(403).end(`{"error":"bad key ${LINK_TOKEN}"}`), 'auth_failed', '403: {"error":"bad key ***"}'],
    ['is broken', (reply) => reply.writeHead(500).end('<h1>Internal error</h1>'), 'device_unreachable', '500: Internal error'],
    [
      'answers 200 with an error',
      (reply) => reply.end('{"status":"err","message":"modem not found"}'),
      'device_unreachable',
      'modem not found',
    ],
    [
      'redirects to the metadata address',
      (reply) => reply.writeHead(302, { location: 'http://169.254.169.254/x' }).end(),
      'permission_denied',
      '169.254',
    ],
  ] as [string, (reply: Parameters<OnCall>[1]) => unknown, string, string][])(
    'that %s ends the attempt with a reason',
    async (name, answer, reason, detail) => {
      const device = `link-${name.replaceAll(' ', '-')}`
      await boxed(device, '127.20.6.1', (_box, reply) => void answer(reply))
      expect(await go(device)).toMatchObject({ state: 'failed', reason, detail: expect.stringContaining(detail), method: 'api_call' })
    },
  )

  test('that answers with a web page is verified all the same, and the record says so', async () => {
    const page: OnCall = (_box, reply) => void reply.setHeader('content-type', 'text/html').end('<!doctype html><html>log in</html>')
    await boxed('html-01', '127.20.6.2', page, { rotation_max_time: 1 })
    expect(await go('html-01')).toMatchObject({ state: 'unchanged', detail: expect.stringContaining('web page') })
  })

  test('that hangs is no reason to wait for ever, and what it did counts', async () => {
    const hangs: OnCall = (box) => {
      box.exit = '127.20.6.4'
    }
    await boxed('hang-01', '127.20.6.3', hangs, { rotation_max_time: 3 })
    expect(await go('hang-01')).toMatchObject({ state: 'changed', new_ip: '127.20.6.4' })
  })

  test('where nobody listens is unreachable', async () => {
    const box = await boxed('refused-01', '127.20.6.5', rotatesTo('127.20.6.6'))
    await hub.ask('/api/v1/admin/devices/refused-01', {
      method: 'PATCH',
      key: 'admin',
      body: { rotation_url: `http://127.0.0.1:1/${LINK_TOKEN}` },
    })
    expect(await go('refused-01')).toMatchObject({
      state: 'failed',
      reason: 'device_unreachable',
      detail: expect.stringContaining('127.0.0.1:1'),
    })
    expect(box.calls).toEqual([])
  })

  test('that asks to wait is called again after that, and the attempts are kept', async () => {
    let calls = 0
    const limited: OnCall = (box, reply, request) => {
      calls += 1
      if (calls === 1) reply.writeHead(429).end('{"error":"Please wait 1 s"}')
      else rotatesTo('127.20.4.2', 0)(box, reply, request)
    }
    await boxed('moscow-07', '127.20.4.1', limited, { rotation_attempts: 3 })
    const asked = Date.now()
    const { id } = await rotate('moscow-07')
    await vi.waitFor(
      async () => {
        const between = (await hub.ask(`/api/v1/rotations/${id}`, { key: 'admin' })).json
        expect(between).toMatchObject({ state: 'queued', attempt: 1, max_attempts: 3, detail: expect.stringContaining('Attempt 1 of 3') })
        expect(Date.parse(between.not_before)).toBeGreaterThan(asked + 900)
      },
      { timeout: 10_000, interval: 20 },
    )
    expect(await ended(id)).toMatchObject({
      state: 'changed',
      attempt: 2,
      attempts: [
        { number: 1, cause: 'asked', outcome: 'failed', reason: 'too_soon' },
        { number: 2, cause: 'retry', outcome: 'changed' },
      ],
    })
  })
})

describe('unique', () => {
  test('rotates again while the new IP was seen within the time, in the attempts that there are', async () => {
    const next = ['127.20.3.2', '127.20.3.1', '127.20.3.3']
    const inTurn: OnCall = (box, reply, request) => rotatesTo(next.shift() ?? '127.20.3.9', 0)(box, reply, request)
    const box = await boxed('busan-03', '127.20.3.1', inTurn, { rotation_attempts: 3 })
    await hub.ask('/proxy_server?name=busan-03', { from: '127.20.3.1' })
    expect(await go('busan-03')).toMatchObject({ state: 'changed', new_ip: '127.20.3.2', attempt: 1 })
    const done = await go('busan-03', { unique: '24h' })
    expect(done).toMatchObject({
      state: 'changed',
      unique: '24h',
      old_ip: '127.20.3.2',
      new_ip: '127.20.3.3',
      attempts: [
        { cause: 'asked', new_ip: '127.20.3.1' },
        { cause: 'unique', old_ip: '127.20.3.1', new_ip: '127.20.3.3' },
      ],
    })
    next.push('127.20.3.1', '127.20.3.2', '127.20.3.1')
    expect(await go('busan-03', { unique: '7d' })).toMatchObject({
      state: 'changed',
      new_ip: '127.20.3.1',
      attempt: 3,
      detail: expect.stringContaining('was seen'),
    })
    expect(box.calls).toHaveLength(6)
  })
})
