import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import type { OutboundRequest } from './outbound.ts'
import { createSender } from './sender.ts'

const send = createSender({ allowsPrivate: true, userAgent: 'mobilepool-test' })

const servers: Server[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})

/** A server that answers as told; returns its origin. */
async function serve(listener: RequestListener, host = '127.0.0.1'): Promise<string> {
  const server = createServer(listener).listen(0, host)
  servers.push(server)
  await once(server, 'listening')
  return `http://${host}:${(server.address() as AddressInfo).port}`
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  return text
}

/** Tells what arrived. */
const echo: RequestListener = async (request, reply) => {
  const { method, url, headers } = request
  reply.setHeader('content-type', 'application/json').end(JSON.stringify({ method, url, headers, body: await textOf(request) }))
}

const seen = async (request: OutboundRequest) => {
  const result = await send(request)
  if (!result.isAnswer) throw new Error(result.detail)
  return JSON.parse(result.text)
}

describe('a request', () => {
  test('arrives with its method, headers and body, and names us', async () => {
    const origin = await serve(echo)
    const got = await seen({ url: `${origin}/hook?a=1`, method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"x":1}' })
    expect(got).toMatchObject({
      method: 'POST',
      url: '/hook?a=1',
      body: '{"x":1}',
      headers: { 'content-type': 'application/json', 'user-agent': 'mobilepool-test' },
    })
  })

  test('sends what stands before the host as Basic authentication, odd characters too', async () => {
    const origin = await serve(echo)
    const { headers, url } = await seen({ url: origin.replace('//', '//box:p%40ss%@') })
    expect(Buffer.from(headers.authorization.slice(6), 'base64').toString()).toBe('box:p%40ss%')
    expect(url).toBe('/')
  })

  test('gets any status as an answer, with the first of repeated headers', async () => {
    const origin = await serve(
      (_request, reply) => void reply.writeHead(429, { 'retry-after': '7', 'set-cookie': ['a=1', 'b=2'] }).end('slow down'),
    )
    expect(await send({ url: origin })).toMatchObject({
      isAnswer: true,
      status: 429,
      text: 'slow down',
      isCut: false,
      headers: { 'retry-after': '7', 'set-cookie': 'a=1' },
    })
  })

  test('reads no more of an answer than it may', async () => {
    const origin = await serve((_request, reply) => {
      const more = (): void => {
        while (!reply.destroyed && reply.write('x'.repeat(16_384)));
      }
      reply.on('drain', more)
      more()
    })
    const result = await send({ url: origin, maxBytes: 1_000 })
    expect(result).toMatchObject({ isAnswer: true, isCut: true, text: 'x'.repeat(1_000) })
  })
})

describe('a request ends', () => {
  const never: RequestListener = () => {}
  test.each([
    ['when nobody answers in time', never],
    [
      'when the answer drips for longer',
      (_request: unknown, reply: Parameters<RequestListener>[1]) => void reply.writeHead(200).write('a'),
    ],
  ])('%s', async (_case, listener) => {
    const origin = await serve(listener)
    const result = await send({ url: `${origin}/secret-token`, timeoutMs: 200 })
    expect(result).toEqual({ isAnswer: false, why: 'timed_out', detail: `${new URL(origin).host} did not answer within 0.2 s.` })
  })

  test('when it is called off', async () => {
    const stop = new AbortController()
    const origin = await serve(() => stop.abort())
    expect(await send({ url: origin, signal: stop.signal })).toMatchObject({ isAnswer: false, why: 'canceled' })
  })

  test.each([
    ['http://127.0.0.1:1/secret-token', 'unreachable', '127.0.0.1:1 cannot be reached (ECONNREFUSED).'],
    ['http://no-such-host.invalid/secret-token', 'unreachable', 'no-such-host.invalid cannot be reached'],
    ['ftp://127.0.0.1/secret-token', 'bad_url', 'must begin with http:// or https://'],
    ['secret-token', 'bad_url', 'cannot be read'],
  ])('at %s as %s', async (url, why, detail) => {
    const result = await send({ url })
    expect(result).toMatchObject({ isAnswer: false, why, detail: expect.stringContaining(detail) })
    expect(JSON.stringify(result)).not.toContain('secret-token')
  })
})

describe('where the hub never goes', () => {
  test.each([
    'http://169.254.169.254/latest/meta-data/',
    'http://[::ffff:169.254.169.254]/',
    'http://2852039166/',
    'http://0.0.0.0/',
    'http://[fe80::1]/',
  ])('%s', async (url) => {
    const result = await send({ url, timeoutMs: 2_000 })
    expect(result).toMatchObject({ why: 'target_refused' })
  })

  test('a redirect to the metadata address is not followed', async () => {
    const origin = await serve((_request, reply) => void reply.writeHead(302, { location: 'http://169.254.169.254/latest/' }).end())
    expect(await send({ url: origin })).toMatchObject({ why: 'target_refused', detail: expect.stringContaining('169.254.169.254') })
  })

  test('private addresses, by number and by name, where OUTBOUND_PRIVATE=false', async () => {
    const origin = await serve(echo)
    const outside = createSender({ allowsPrivate: false, userAgent: 'x' })
    expect(await outside({ url: origin })).toMatchObject({ why: 'target_refused', detail: expect.stringContaining('OUTBOUND_PRIVATE') })
    expect(await outside({ url: origin.replace('127.0.0.1', 'localhost') })).toMatchObject({ why: 'target_refused' })
  })
})

describe('redirects', () => {
  const to =
    (location: string, status = 302): RequestListener =>
    (_request, reply) =>
      void reply.writeHead(status, { location }).end()

  test('are followed within the same origin with headers, and to others without them and without the body', async () => {
    const home = await serve((request, reply) => (request.url === '/a' ? to('/b', 307)(request, reply) : echo(request, reply)))
    const sent = { method: 'POST', headers: { authorization: 'Bearer s3cret', 'content-type': 'text/plain' }, body: 'secret body' } as const
    expect(await seen({ url: `${home}/a`, ...sent })).toMatchObject({
      method: 'POST',
      url: '/b',
      body: 'secret body',
      headers: { authorization: 'Bearer s3cret' },
    })
    const elsewhere = await serve(to(`${home}/b`, 307), '127.0.0.2')
    const got = await seen({ url: elsewhere, ...sent })
    expect(got.headers.authorization).toBeUndefined()
    expect(got.body).toBe('')
  })

  test('of a POST by 302 or 303 become a GET', async () => {
    const home = await serve((request, reply) => (request.url === '/a' ? to('/b', 303)(request, reply) : echo(request, reply)))
    expect(await seen({ url: `${home}/a`, method: 'POST', body: 'x', headers: { 'content-type': 'text/plain' } })).toMatchObject({
      method: 'GET',
      body: '',
    })
  })

  test('in a circle end', async () => {
    const origin = await serve(to('/again'))
    expect(await send({ url: origin })).toMatchObject({ why: 'too_many_redirects' })
    let asked = 0
    const counted = await serve((request, reply) => {
      asked += 1
      to('/again')(request, reply)
    })
    await send({ url: counted, maxRedirects: 0 })
    expect(asked).toBe(1)
  })

  test('to what is no web address are an error', async () => {
    const origin = await serve(to('http://'))
    expect(await send({ url: origin })).toMatchObject({ why: 'bad_url' })
    expect(await send({ url: await serve(to('file:///etc/passwd')) })).toMatchObject({ why: 'target_refused' })
  })
})
