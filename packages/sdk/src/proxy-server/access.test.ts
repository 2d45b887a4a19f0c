import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { fixedCredentials } from './authenticate.ts'
import type { ProxyServerLimits } from './options.ts'
import { createProxyServer } from './server.ts'
import { connectDirectly, eventually, openTcpHandles, Rig } from './testing/rig.ts'

let rig = new Rig()
afterEach(async () => {
  await rig.stop()
  rig = new Rig()
  await eventually(() => openTcpHandles() === 0, 'no socket is left')
})

const authenticate = fixedCredentials({ username: 'parser', password: 's:cret' })
const basic = (text: string) => `Proxy-Authorization: Basic ${Buffer.from(text).toString('base64')}\r\n`

describe('a proxy with a password', () => {
  const asks = [
    ['a request', (port: number, more: string) => `GET http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: x\r\n${more}\r\n`],
    ['a tunnel', (port: number, more: string) => `CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: x\r\n${more}\r\n`],
    [
      'an upgrade',
      (port: number, more: string) =>
        `GET http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: w\r\n${more}\r\n`,
    ],
  ] as const

  test.each(
    asks.flatMap(
      ([kind, ask]) =>
        [
          ['no', '', kind, ask],
          ['wrong', basic('parser:wrong'), kind, ask],
          ['unreadable', 'Proxy-Authorization: Digest x\r\n', kind, ask],
        ] as const,
    ),
  )('with %s credentials (%j) %s is a 407 and nothing is connected', async (_, more, __, ask) => {
    const connect = vi.fn(connectDirectly)
    const { client, proxy } = await rig.proxy({ authenticate, connect })
    const browser = await client()
    browser.send(ask(80, more))
    await browser.until(
      /^HTTP\/1.1 407 Proxy Authentication Required\r\n.*Proxy-Authenticate: Basic realm="MobilePool", charset="UTF-8"\r\n/s,
    )
    expect(connect).not.toHaveBeenCalled()
    expect(proxy.counters()).toMatchObject({ exchanges: 0, unauthorized: 1 })
  })

  test.each(asks)('lets %3$s with the right credentials through, and does not show them to the site', async (_, ask) => {
    let seen = ''
    const port = await rig.target(
      (socket) =>
        void socket.on('data', (data) => {
          seen += data
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
        }),
    )
    const browser = await (await rig.proxy({ authenticate })).client()
    browser.send(ask(port, basic('parser:s:cret')))
    await browser.until(/^HTTP\/1.1 200 /)
    expect(seen).not.toMatch(/proxy-authorization/i)
  })

  test('lets a client try again on the same connection', async () => {
    const port = await rig.site((_, res) => res.end('in'))
    const browser = await (await rig.proxy({ authenticate })).client()
    browser.send(`POST http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody`)
    await browser.until(/407/)
    browser.send(`GET http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: x\r\n${basic('parser:s:cret')}\r\n`)
    await browser.until(/\r\n\r\nin$/)
  })

  test('answers 500, and connects nowhere, when the check itself fails', async () => {
    const { client } = await rig.proxy({ authenticate: () => Promise.reject(new Error('database: password=hunter2')) })
    const browser = await client()
    browser.send('CONNECT 127.0.0.1:80 HTTP/1.1\r\nHost: x\r\n\r\n')
    const answer = await browser.all()
    expect(answer).toMatch(/^HTTP\/1.1 500 /)
    expect(answer).not.toContain('hunter2')
  })

  test('names the user to connect() and to observers', async () => {
    const port = await rig.site((_, res) => res.end())
    let user: unknown
    const { client, summary } = await rig.proxy({
      authenticate,
      connect: (target, context) => {
        user = context.user
        return connectDirectly(target)
      },
    })
    const browser = await client()
    browser.send(`GET http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: x\r\n${basic('parser:s:cret')}\r\n`)
    await browser.until(/200 OK/)
    expect([user, (await summary())?.user]).toEqual(['parser', 'parser'])
  })
})

describe('a listener', () => {
  test.each([['0.0.0.0'], ['::'], ['10.0.0.1'], ['hub.example'], ['::ffff:0:0']])(
    'on %s without credentials refuses to start',
    async (host) => {
      const proxy = createProxyServer({ connect: connectDirectly })
      await expect(proxy.listen(0, host)).rejects.toMatchObject({ code: 'open_proxy', message: expect.stringContaining('authenticate') })
    },
  )

  test.each([['127.0.0.1'], ['127.9.8.7'], ['localhost']])('on %s needs no credentials', async (host) => {
    const proxy = createProxyServer({ connect: connectDirectly })
    expect((await proxy.listen(0, host)).port).toBeGreaterThan(0)
    await proxy.close()
  })

  test('beyond loopback starts with credentials', async () => {
    const proxy = createProxyServer({ connect: connectDirectly, authenticate })
    await proxy.listen(0, '0.0.0.0')
    await proxy.close()
  })

  test('on a port in use says so', async () => {
    const { port } = await rig.proxy()
    const proxy = createProxyServer({ connect: connectDirectly })
    await expect(proxy.listen(port)).rejects.toMatchObject({ code: 'listen_failed', message: expect.stringContaining(`port ${port}`) })
  })

  test.each([
    [{ maxConnections: 0 }, 'limits.maxConnections'],
    [{ idleTimeoutMs: 1.5 }, 'limits.idleTimeoutMs'],
    [{ maxHeaderByts: 5 }, 'maxHeaderByts'],
  ])('with the limits %j names the one that is wrong', (limits, field) => {
    expect(() => createProxyServer({ connect: connectDirectly, limits: limits as ProxyServerLimits })).toThrow(field)
  })
})

test('clients beyond the limit are told, and those within it are served on', async () => {
  const port = await rig.site((_, res) => res.end('served'))
  const { client, proxy } = await rig.proxy({ limits: { maxConnections: 2 } })
  const request = `GET http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: x\r\n\r\n`
  const [first, second, third] = [await client(), await client(), await client()]
  await eventually(() => proxy.counters().openConnections === 3, 'all are connected')
  third.send(request)
  await third.until(/^HTTP\/1.1 503 .*\r\nX-MobilePool-Error: too_many_connections\r\n/s)
  for (const within of [first, second]) within.send(request)
  await Promise.all([first.until(/served/), second.until(/served/)])
})

describe('what is no request that can be forwarded', () => {
  const host = 'Host: x\r\n'
  test.each([
    ['no HTTP at all', 'hello proxy\r\n\r\n', 400],
    ['a request for the proxy itself', `GET / HTTP/1.1\r\n${host}\r\n`, 400],
    ['an https URL', `GET https://127.0.0.1/ HTTP/1.1\r\n${host}\r\n`, 400],
    ['a URL with a password', `GET http://u:p@127.0.0.1/ HTTP/1.1\r\n${host}\r\n`, 400],
    ['CONNECT without a port', `CONNECT 127.0.0.1 HTTP/1.1\r\n${host}\r\n`, 400],
    ['no Host', 'GET http://127.0.0.1:1/ HTTP/1.1\r\n\r\n', 400],
    ['two Hosts', `GET http://127.0.0.1:1/ HTTP/1.1\r\n${host}${host}\r\n`, 400],
    [
      'length and chunks at once',
      `POST http://127.0.0.1:1/ HTTP/1.1\r\n${host}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
    ],
    ['two lengths', `POST http://127.0.0.1:1/ HTTP/1.1\r\n${host}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd`, 400],
    ['a space before the colon', `GET http://127.0.0.1:1/ HTTP/1.1\r\n${host}X : 1\r\n\r\n`, 400],
    ['an unknown transfer coding', `POST http://127.0.0.1:1/ HTTP/1.1\r\n${host}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`, 501],
    ['a head that is too large', `GET http://127.0.0.1:1/ HTTP/1.1\r\n${host}X: ${'y'.repeat(40_000)}\r\n\r\n`, 431],
  ])('%s is a problem of its own', async (_, text, status) => {
    const connect = vi.fn(connectDirectly)
    const { client } = await rig.proxy({ connect })
    const browser = await client()
    browser.send(text)
    await browser.until(new RegExp(`^HTTP/1.1 ${status} .*\r\nX-MobilePool-Error: [a-z_]+\r\n.*"detail":"`, 's'))
    expect(connect).not.toHaveBeenCalled()
  })

  test('a head that does not come to an end is a 408', async () => {
    const browser = await (await rig.proxy({ limits: { handshakeTimeoutMs: 200 } })).client()
    browser.send('GET http://127.0.0.1:1/ HTTP/1.1\r\nHost')
    expect(await browser.all()).toMatch(/^HTTP\/1.1 408 Request Timeout\r\nX-MobilePool-Error: request_timeout\r\n/)
  })

  test('a connection that says nothing is closed without a word', async () => {
    const browser = await (await rig.proxy({ limits: { handshakeTimeoutMs: 200 } })).client()
    await browser.closed
    expect(browser.received).toBe('')
  })

  test('garbage behind a good request does not spoil its answer', async () => {
    const port = await rig.site((_, res) => {
      res.write('good ')
      setTimeout(() => res.end('answer'), 50)
    })
    const browser = await (await rig.proxy()).client()
    browser.send(`GET http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: x\r\n\r\n\x00garbage\r\n\r\n`)
    await browser.closed
    expect(browser.received).not.toContain('400')
  })

  test('CONNECT behind an unanswered request is cut, since the answers could not be told apart', async () => {
    const port = await rig.site(() => {})
    const browser = await (await rig.proxy()).client()
    browser.send(`GET http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: x\r\n\r\nCONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: x\r\n\r\n`)
    expect(await browser.closed).toBe('reset')
    expect(browser.received).toBe('')
  })
})

describe('curl', () => {
  const curl = async (...args: string[]): Promise<string> => (await promisify(execFile)('curl', ['-sS', '-m', '10', ...args])).stdout

  test.each([
    ['by absolute URL', []],
    ['through a tunnel', ['--proxytunnel']],
  ])('%s gets its page', async (_, flags) => {
    const port = await rig.site((req, res) => res.end(`${req.method} ${req.url}`))
    const { port: proxyPort } = await rig.proxy({ authenticate })
    const page = await curl(
      ...flags,
      '-x',
      `http://parser:s%3Acret@127.0.0.1:${proxyPort}`,
      `http://127.0.0.1:${port}/a?b`,
      `http://127.0.0.1:${port}/c`,
    )
    expect(page).toBe('GET /a?bGET /c')
  })

  test('uploads two megabytes and gets them back', async () => {
    const port = await rig.site((req, res) => req.pipe(res))
    const { port: proxyPort } = await rig.proxy({ authenticate })
    const { promise, child } = startEcho(proxyPort, port)
    const body = 'x'.repeat(2 << 20)
    child.stdin?.end(body)
    expect((await promise).stdout === body).toBe(true)
  })

  const startEcho = (proxyPort: number, port: number) => {
    const promise = promisify(execFile)(
      'curl',
      ['-sS', '-m', '10', '-x', `http://parser:s%3Acret@127.0.0.1:${proxyPort}`, '--data-binary', '@-', `http://127.0.0.1:${port}/`],
      { maxBuffer: 8 << 20 },
    )
    return { promise, child: promise.child }
  }
})
