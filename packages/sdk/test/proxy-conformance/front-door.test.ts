import { createServer as createSite } from 'node:http'
import { createServer as createTarget } from 'node:net'
import { describe, expect, test } from 'vitest'
import { createProxyServer, createTargetPolicy, fixedCredentials, ProxyError } from '../../src/proxy-server/index.ts'
import { RawClient } from '../../src/proxy-server/testing/raw-client.ts'
import { connectDirectly, eventually } from '../../src/proxy-server/testing/rig.ts'
import { localhostCertificate } from '../servers/certificate.ts'
import { bytes, OK, onStage } from './stage.ts'

const GET = 'GET http://127.0.0.1:PORT/ HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n'
const CONNECT = 'CONNECT 127.0.0.1:PORT HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n'
const SOCKS = bytes(5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1)
const CLIENT_HELLO = bytes(0x16, 3, 1, 0, 5, 1, 0, 0, 1, 3)
const WHOLE = /ok$/
const NEVER = /$never/

describe('on a port with a certificate', () => {
  const stage = onStage({ limits: { handshakeTimeoutMs: 300 } })

  test.each([false, true])('HTTP is spoken (inside TLS: %s)', async (isTls) => {
    const { got, upstream } = await stage.play({ send: `${GET}\r\n`, until: WHOLE, isTls })
    expect([got.slice(0, 15), upstream.length]).toEqual(['HTTP/1.1 200 OK', 1])
    expect(stage.closed.at(-1)?.client).toEqual({ address: '127.0.0.1', protocol: 'http', isTls })
  })

  test.each([false, true])('a tunnel carries bytes and its end (inside TLS: %s)', async (isTls) => {
    const { got, ending, upstream } = await stage.play({ send: `${CONNECT}\r\nGET / HTTP/1.1\r\n\r\n`, until: WHOLE, isTls })
    expect(got).toBe(`HTTP/1.1 200 Connection established\r\n\r\n${OK}`)
    expect([ending, upstream]).toEqual(['end', ['GET / HTTP/1.1\r\n\r\n']])
  })

  test.each([false, true])('an upgrade is joined (inside TLS: %s)', async (isTls) => {
    const { got, upstream } = await stage.play({
      send: [`${GET}Connection: Upgrade\r\nUpgrade: echo\r\n\r\n`, 'hello'],
      answer: 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nwelcome ok',
      until: WHOLE,
      isTls,
    })
    expect(got).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nwelcome ok$/)
    expect(upstream[0]).toMatch(/Connection: Upgrade\r\nUpgrade: echo\r\n\r\n(hello)?$/)
  })

  test.each([
    ['nothing', ''],
    ['half a request line', 'GET http://127'],
    ['half a head', GET],
    ['half a greeting of SOCKS5', bytes(5)],
    ['half a request of SOCKS5', SOCKS],
    ['half a hello of TLS', CLIENT_HELLO.slice(0, 7)],
  ])('a client that sends %s and no more is let go in time', async (_, send) => {
    const { upstream } = await stage.play({ send, until: NEVER })
    expect(upstream).toEqual([])
    await eventually(() => stage.proxy.counters().openConnections === 0, 'its connection is closed')
  })

  test('a head that is dribbled is answered 408, however much comes in between', async () => {
    const { connect } = await import('node:net')
    const socket = connect({ port: stage.port, host: '127.0.0.1' })
    let got = ''
    socket.on('error', () => {})
    socket.on('data', (data) => {
      got += String(data)
    })
    const dribble = setInterval(() => socket.write('X: y\r\n'), 20)
    socket.write(GET.replaceAll('PORT', '1'))
    await new Promise((resolve) => socket.on('close', resolve))
    clearInterval(dribble)
    expect(got).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\nX-MobilePool-Error: request_timeout\r\n/)
  })

  test('garbage that looks like TLS ends in an alert of TLS', async () => {
    const { got } = await stage.play({ send: CLIENT_HELLO, until: NEVER })
    expect(got === '' || got.startsWith(bytes(0x15, 3))).toBe(true)
  })

  test('another certificate is taken for new connections, and one that is none is not', async () => {
    stage.proxy.renewCertificate(localhostCertificate)
    expect(() => stage.proxy.renewCertificate({ cert: 'x', key: 'y' })).toThrow('tls: cert and key must be')
    expect((await stage.play({ send: `${GET}\r\n`, until: WHOLE, isTls: true })).got).toContain('200 OK')
  })
})

describe('on a port without a certificate', () => {
  const stage = onStage({}, { hasTls: false })
  test('a client that speaks TLS hears an alert', async () => {
    const { got, ending } = await stage.play({ send: CLIENT_HELLO, until: NEVER })
    expect([got, ending]).toEqual([bytes(0x15, 3, 1, 0, 2, 2, 40), 'end'])
  })
  test('there is none to renew', () => {
    expect(() => stage.proxy.renewCertificate(localhostCertificate)).toThrow('without a certificate')
  })
})

describe('on a port that must be spoken to in TLS', () => {
  const stage = onStage({ tls: { ...localhostCertificate, required: true } })
  test('plain HTTP is told so', async () => {
    const { got, upstream } = await stage.play({ send: `${GET}\r\n` })
    expect(got).toMatch(/^HTTP\/1\.1 400 .*TLS only/s)
    expect(upstream).toEqual([])
  })
  test('plain SOCKS5 is closed', async () => {
    expect((await stage.play({ send: SOCKS, until: NEVER })).got).toBe('')
  })
  test('TLS is served', async () => {
    expect((await stage.play({ send: `${GET}\r\n`, until: WHOLE, isTls: true })).got).toContain('200 OK')
  })
})

test('a certificate that cannot be used is a bad option', () => {
  const make = () => createProxyServer({ connect: connectDirectly, tls: { cert: 'no', key: 'no' } })
  expect(make).toThrow(expect.objectContaining({ code: 'bad_options', message: expect.stringMatching(/^tls: /) }))
})

describe('with a policy for targets', () => {
  const stage = onStage({ targets: createTargetPolicy({ ports: [80, 443] }) })
  test.each([
    ['http', 'GET http://10.0.0.1/ HTTP/1.1\r\nHost: a\r\n\r\n', /^HTTP\/1\.1 599 .*target_refused/s],
    ['a tunnel', 'CONNECT 169.254.169.254:80 HTTP/1.1\r\nHost: a\r\n\r\n', /^HTTP\/1\.1 599 .*target_refused/s],
    ['a tunnel by a number', 'CONNECT 2130706433:80 HTTP/1.1\r\nHost: a\r\n\r\n', /^HTTP\/1\.1 599 .*target_refused/s],
    ['a closed port', 'CONNECT example.com:25 HTTP/1.1\r\nHost: a\r\n\r\n', /^HTTP\/1\.1 599 .*port 25/s],
  ])('%s to where it must not go is refused before connect()', async (_, send, expected) => {
    const { got, upstream } = await stage.play({ send, until: NEVER })
    expect(got).toMatch(expected)
    expect(upstream).toEqual([])
  })
  test('SOCKS5 to where it must not go is "not allowed"', async () => {
    expect((await stage.play({ send: `${SOCKS}${bytes(0, 80)}`, until: NEVER })).got).toBe(bytes(5, 0, 5, 2, 0, 1, 0, 0, 0, 0, 0, 0))
  })
})

describe('limits', () => {
  const authenticate = fixedCredentials({ username: 'parser', password: 'p' })
  const BASIC = `Proxy-Authorization: Basic ${Buffer.from('parser:p').toString('base64')}\r\n`

  describe('per user', () => {
    const stage = onStage({ authenticate, limits: { maxPerUser: 1 } })
    test('are a 429, and over when what was under way is', async () => {
      const ask = async (text: string): Promise<RawClient> => (await RawClient.open(stage.port, false)).send(text)
      const head = (text: string): string => `${text}${BASIC}\r\n`.replaceAll('PORT', String(stage.targetPort))
      const first = await ask(head(CONNECT))
      await first.until(/established/)
      const refused = await ask(head(GET))
      expect(await refused.until(/\r\n\r\n/)).toMatch(
        /^HTTP\/1\.1 429 Too Many Requests\r\nX-MobilePool-Error: user_limit\r\n.*Retry-After: 1\r\n/s,
      )
      refused.socket.end()
      const socks = await ask(`${bytes(5, 1, 2, 1, 6)}parser${bytes(1)}p${bytes(5, 1, 0, 1, 127, 0, 0, 1, 0, 80)}`)
      expect(await socks.all()).toBe(bytes(5, 2, 1, 0, 5, 1, 0, 1, 0, 0, 0, 0, 0, 0))
      expect(stage.proxy.exchanges()).toMatchObject([{ kind: 'tunnel', user: 'parser', status: 200, failure: null }])
      first.socket.end()
      await first.closed
      await eventually(() => stage.proxy.exchanges().length === 0, 'the tunnel is over')
      expect((await stage.play({ send: head(GET), until: WHOLE })).got).toContain('200 OK')
    })
  })

  describe('per address', () => {
    const stage = onStage({ limits: { maxConnectionsPerAddress: 1 } })
    test('are a 429 for HTTP and no method for SOCKS5', async () => {
      const first = await RawClient.open(stage.port, false)
      await eventually(() => stage.proxy.counters().openConnections === 1, 'it is connected')
      const second = (await RawClient.open(stage.port, false)).send(`${CONNECT.replaceAll('PORT', '80')}\r\n`)
      expect(await second.all()).toMatch(/^HTTP\/1\.1 429 .*address_limit/s)
      const third = (await RawClient.open(stage.port, false)).send(SOCKS)
      expect(await third.all()).toBe(bytes(5, 0xff))
      first.socket.end()
      await first.closed
    })
  })

  describe('on fields', () => {
    const stage = onStage({ limits: { maxHeaders: 20 } })
    test.each([
      ['as many as allowed', 18, 200],
      ['one more', 20, 431],
      ['so many that Node would drop some', 3_000, 431],
    ])('%s', async (_, count, status) => {
      const { got } = await stage.play({ send: `${GET}${'a:\r\n'.repeat(count)}\r\n` })
      expect(got).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    })
    test('a coding hidden behind them does not get through', async () => {
      const send = `${GET}${'a:\r\n'.repeat(2_100)}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n${GET}\r\n`
      expect((await stage.play({ send })).upstream).toEqual([])
    })
  })

  test.each([
    [{ maxHeaders: 1 }, 'limits.maxHeaders'],
    [{ maxConnectionsPerAddress: 0 }, 'limits.maxConnectionsPerAddress'],
    [{ maxPerUser: 1.5 }, 'limits.maxPerUser'],
  ])('%j is named', (limits, name) => {
    expect(() => createProxyServer({ connect: connectDirectly, limits })).toThrow(name)
  })
})

describe('what connect() adds to an answer', () => {
  const stage = onStage({
    connect: (target, { replyHeaders }) => {
      replyHeaders.set('X-MobilePool-Device', target.host === 'split.test' ? 'a\r\nX: b' : 'seoul-01')
      replyHeaders.set('X-MobilePool-Error', 'forged')
      if (target.host === 'nobody.test') throw new ProxyError('no_device', 'No device is free.', { retryAfterS: 7 })
      return connectDirectly({ ...target, host: '127.0.0.1' })
    },
  })
  test.each([
    ['a tunnel', CONNECT, /^HTTP\/1\.1 200 .*X-MobilePool-Device: seoul-01\r\n/s],
    ['an answer', GET, /^HTTP\/1\.1 200 .*X-MobilePool-Device: seoul-01\r\n/s],
    [
      'a failure',
      CONNECT.replace('127.0.0.1', 'nobody.test'),
      /^HTTP\/1\.1 503 .*Error: no_device\r\n.*Retry-After: 7\r\nX-MobilePool-Device: seoul-01\r\n/s,
    ],
    ['a failure of a request', GET.replace('127.0.0.1', 'nobody.test'), /^HTTP\/1\.1 503 .*X-MobilePool-Device: seoul-01\r\n/s],
    ['nothing where it cannot be sent', CONNECT.replace('127.0.0.1', 'split.test'), /^HTTP\/1\.1 500 (?!.*X: b)/s],
    ['no answer where it cannot be sent', GET.replace('127.0.0.1', 'split.test'), /^HTTP\/1\.1 500 (?!.*X: b)/s],
  ])('reaches %s', async (_, head, expected) => {
    const { got } = await stage.play({ send: `${head}\r\n` })
    expect(got).toMatch(expected)
  })
})

describe('an orderly end', () => {
  test('lets what is under way finish and closes idle connections', async () => {
    let finish = (): void => {}
    const site = createSite((_, res) => {
      res.write('first ')
      finish = () => res.end('last')
    })
    await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve))
    const { port: sitePort } = site.address() as { port: number }
    const proxy = createProxyServer({ connect: connectDirectly })
    const { port } = await proxy.listen(0)
    const [busy, idle] = [await RawClient.open(port, false), await RawClient.open(port, false)]
    busy.send(`${GET.replaceAll('PORT', String(sitePort))}\r\n`)
    await busy.until(/first/)
    await eventually(() => proxy.counters().openConnections === 2, 'both are connected')
    const closed = proxy.close({ graceMs: 10_000 })
    expect(await idle.closed).toBe('end')
    finish()
    await busy.closed
    expect(busy.received).toMatch(/first [\s\S]*last[\s\S]*0\r\n\r\n$/)
    await closed
    site.close()
    site.closeAllConnections()
  })

  test('cuts what has not finished in its time', async () => {
    const target = createTarget((socket) => socket.on('error', () => {}))
    await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve))
    const { port: targetPort } = target.address() as { port: number }
    const proxy = createProxyServer({ connect: connectDirectly })
    const { port } = await proxy.listen(0)
    const client = (await RawClient.open(port, false)).send(`${CONNECT.replaceAll('PORT', String(targetPort))}\r\n`)
    await client.until(/established/)
    await proxy.close({ graceMs: 50 })
    await client.closed
    await new Promise((resolve) => target.close(resolve))
  })
})
