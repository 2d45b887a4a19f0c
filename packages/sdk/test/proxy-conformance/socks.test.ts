import { describe, expect, test } from 'vitest'
import { type Authenticate, fixedCredentials, ProxyError } from '../../src/proxy-server/index.ts'
import { connectDirectly } from '../../src/proxy-server/testing/rig.ts'
import { bytes, onStage, type Script } from './stage.ts'

const port = (value: number): string => bytes(value >> 8, value & 255)
const NO_AUTH = bytes(5, 1, 0)
const OFFERS_PASSWORD = bytes(5, 1, 2)
const CHOSEN_NONE = bytes(5, 0)
const CHOSEN_PASSWORD = bytes(5, 2)
const NONE_ACCEPTABLE = bytes(5, 0xff)
const reply = (code: number): string => bytes(5, code, 0, 1, 0, 0, 0, 0, 0, 0)
const LOOPBACK = bytes(127, 0, 0, 1)
const request = (command: number, type: number, address: string, to: number): string => bytes(5, command, 0, type) + address + port(to)
const named = (name: string, length = name.length): string => bytes(length) + name
const GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'
const ANSWER = /200 OK\r\nContent-Length: 2\r\n\r\nok$/

/** Errors of connect(), by the name that a client asks for. */
const errors: Record<string, unknown> = {
  'refused.test': Object.assign(new Error('x'), { code: 'ECONNREFUSED' }),
  'unreachable.test': Object.assign(new Error('x'), { code: 'EHOSTUNREACH' }),
  'network.test': Object.assign(new Error('x'), { code: 'ENETUNREACH' }),
  'unknown.test': Object.assign(new Error('x'), { code: 'ENOTFOUND', syscall: 'getaddrinfo' }),
  'late.test': Object.assign(new Error('x'), { code: 'ETIMEDOUT' }),
  'private.test': new ProxyError('target_refused', 'no'),
  'forbidden.test': new ProxyError('client_refused', 'no'),
  'reset.test': Object.assign(new Error('x'), { code: 'ECONNRESET' }),
  'nobody.test': new ProxyError('no_device', 'no'),
  'odd.test': 'not even an error',
}

describe('SOCKS5 without credentials', () => {
  const stage = onStage({
    connect: (target) => {
      if (target.host in errors) throw errors[target.host]
      return connectDirectly(target.host === 'target.test' ? { ...target, host: '127.0.0.1' } : target)
    },
  })
  const toTarget = (type: number, address: string): string => NO_AUTH + request(1, type, address, stage.targetPort)

  test.each<[string, () => string]>([
    ['an IPv4 address', () => toTarget(1, LOOPBACK)],
    ['a name', () => toTarget(3, named('target.test'))],
    ['a name in capitals', () => toTarget(3, named('TARGET.Test'))],
    ['an IPv4 address written as a name', () => toTarget(3, named('127.0.0.1'))],
    ['an IPv4 address in its mapped form', () => toTarget(4, bytes(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff) + LOOPBACK)],
  ])('CONNECT to %s carries bytes, those sent early included', async (_, send) => {
    const { got, upstream } = await stage.play({ send: send() + GET, until: ANSWER })
    expect(got.startsWith(CHOSEN_NONE + reply(0))).toBe(true)
    expect(upstream).toEqual([GET])
  })

  test('CONNECT in single bytes is the same', async () => {
    const { got, upstream } = await stage.play({ send: [...(toTarget(1, LOOPBACK) + GET)], until: ANSWER })
    expect([got.slice(0, 12), upstream]).toEqual([CHOSEN_NONE + reply(0), [GET]])
  })

  test.each([
    ['refused.test', 5],
    ['unreachable.test', 4],
    ['network.test', 3],
    ['unknown.test', 4],
    ['late.test', 6],
    ['private.test', 2],
    ['forbidden.test', 2],
    ['reset.test', 1],
    ['nobody.test', 1],
    ['odd.test', 1],
  ])('a target that fails as %s is told with %i', async (name, code) => {
    const { got, ending } = await stage.play({ send: NO_AUTH + request(1, 3, named(name), 80), until: /^.{12}/s })
    expect([got, ending]).toEqual([CHOSEN_NONE + reply(code), 'end'])
  })

  test.each<[string, string, string]>([
    ['BIND', NO_AUTH + request(2, 1, LOOPBACK, 80), CHOSEN_NONE + reply(7)],
    ['UDP ASSOCIATE', NO_AUTH + request(3, 1, LOOPBACK, 80), CHOSEN_NONE + reply(7)],
    ['no known command', NO_AUTH + request(9, 1, LOOPBACK, 80), CHOSEN_NONE + reply(7)],
    ['an address of unknown type', NO_AUTH + request(1, 2, LOOPBACK, 80), CHOSEN_NONE + reply(8)],
    ['an empty name', NO_AUTH + request(1, 3, named(''), 80), CHOSEN_NONE + reply(1)],
    ['port 0', NO_AUTH + request(1, 1, LOOPBACK, 0), CHOSEN_NONE + reply(1)],
    ['a name of 254 characters', NO_AUTH + request(1, 3, named(`${'a'.repeat(250)}.com`), 80), CHOSEN_NONE + reply(1)],
    ['a name with a NUL', NO_AUTH + request(1, 3, named('target.test\0.evil'), 80), CHOSEN_NONE + reply(1)],
    ['a name with a line break', NO_AUTH + request(1, 3, named('a\r\nHost: b'), 80), CHOSEN_NONE + reply(1)],
    ['a name with a path', NO_AUTH + request(1, 3, named('target.test/a'), 80), CHOSEN_NONE + reply(1)],
    ['a name with a user', NO_AUTH + request(1, 3, named('a@target.test'), 80), CHOSEN_NONE + reply(1)],
    ['a name with a port', NO_AUTH + request(1, 3, named('target.test:99'), 80), CHOSEN_NONE + reply(1)],
    ['a name that is no UTF-8', NO_AUTH + request(1, 3, named('\xff\xfe'), 80), CHOSEN_NONE + reply(1)],
    ['a reserved byte that is set', NO_AUTH + bytes(5, 1, 7, 1) + LOOPBACK + port(80), CHOSEN_NONE + reply(1)],
    ['a request of another version', NO_AUTH + bytes(4, 1, 0, 1) + LOOPBACK + port(80), CHOSEN_NONE + reply(1)],
    ['no acceptable method', bytes(5, 1, 1), NONE_ACCEPTABLE],
    ['no method at all', bytes(5, 0), NONE_ACCEPTABLE],
    ['SOCKS4', `${bytes(4, 1)}${port(80)}${LOOPBACK}me\0`, bytes(0, 0x5b, 0, 0, 0, 0, 0, 0)],
    ['SOCKS4a', `${bytes(4, 1)}${port(80)}${bytes(0, 0, 0, 1)}me\0target.test\0`, bytes(0, 0x5b, 0, 0, 0, 0, 0, 0)],
  ])('%s is refused in so many bytes, and nothing is connected', async (_, send, answer) => {
    const { got, ending, upstream } = await stage.play({ send, until: /$never/ } satisfies Script)
    expect([got, ending, upstream]).toEqual([answer, 'end', []])
  })

  test.each<[string, string]>([
    ['in the greeting', bytes(5, 3, 0)],
    ['before the request', NO_AUTH],
    ['in the head of the request', NO_AUTH + bytes(5, 1)],
    ['in a name', `${NO_AUTH}${bytes(5, 1, 0, 3, 20)}tar`],
    ['in the port', NO_AUTH + bytes(5, 1, 0, 1) + LOOPBACK + bytes(0)],
  ])('a client that ends %s gets no connection and keeps none', async (_, send) => {
    const { upstream, ending } = await stage.play({ send, until: /^/ })
    expect([upstream, ending]).toEqual([[], 'end'])
  })

  test('a client that offers nothing but a password is let in with any', async () => {
    const send = `${OFFERS_PASSWORD}${bytes(1)}${named('me')}${named('x')}${request(1, 1, LOOPBACK, stage.targetPort)}${GET}`
    const { got } = await stage.play({ send, until: ANSWER })
    expect(got.startsWith(CHOSEN_PASSWORD + bytes(1, 0) + reply(0))).toBe(true)
  })

  test('the target is told to observers like that of a CONNECT', async () => {
    await stage.play({ send: toTarget(1, LOOPBACK) + GET, until: ANSWER })
    expect(stage.closed.at(-1)).toMatchObject({
      kind: 'tunnel',
      client: { protocol: 'socks5', isTls: false, address: '127.0.0.1' },
      target: `127.0.0.1:${stage.targetPort}`,
      status: 200,
      failure: null,
      bytesUp: GET.length,
    })
  })
})

describe('SOCKS5 with a password', () => {
  const password = fixedCredentials({ username: 'parser', password: 'sécret:x' })
  const authenticate: Authenticate<string> = (credentials, client) =>
    credentials?.username === 'anonymous' && client.protocol === 'socks5'
      ? { allowed: true, user: 'anonymous' }
      : password(credentials, client)
  const stage = onStage({ authenticate })
  const say = (username: string, word: string, version = 1): string => {
    const [name, secret] = [username, word].map((text) => Buffer.from(text, 'utf8').toString('latin1')) as [string, string]
    return `${OFFERS_PASSWORD}${bytes(version)}${named(name)}${named(secret)}${request(1, 1, LOOPBACK, stage.targetPort)}${GET}`
  }

  test.each([
    ['parser', 'sécret:x'],
    ['anonymous', ''],
  ])('%s gets in with %j', async (username, word) => {
    const { got, upstream } = await stage.play({ send: say(username, word), until: ANSWER })
    expect(got.startsWith(CHOSEN_PASSWORD + bytes(1, 0) + reply(0))).toBe(true)
    expect(upstream).toEqual([GET])
    expect(stage.closed.at(-1)?.user).toBe(username)
  })

  test.each<[string, () => string, string]>([
    ['a wrong password', () => say('parser', 'wrong'), CHOSEN_PASSWORD + bytes(1, 1)],
    ['an empty user and password', () => say('', ''), CHOSEN_PASSWORD + bytes(1, 1)],
    ['a user of 255 bytes', () => say('u'.repeat(255), 'p'.repeat(255)), CHOSEN_PASSWORD + bytes(1, 1)],
    ['an unknown version of the sub-negotiation', () => say('parser', 'sécret:x', 5), CHOSEN_PASSWORD],
    ['no password offered', () => NO_AUTH + request(1, 1, LOOPBACK, stage.targetPort), NONE_ACCEPTABLE],
    ['GSSAPI only', () => bytes(5, 1, 1), NONE_ACCEPTABLE],
  ])('%s is turned away and nothing is connected', async (_, send, answer) => {
    const { got, ending, upstream } = await stage.play({ send: send(), until: /$never/ })
    expect([got, ending, upstream]).toEqual([answer, 'end', []])
  })

  test('a client that offers both ways is asked for its password', async () => {
    const { got } = await stage.play({ send: bytes(5, 3, 0, 1, 2), until: /../s })
    expect(got).toBe(CHOSEN_PASSWORD)
  })
})

describe('SOCKS5 inside TLS', () => {
  const stage = onStage()
  test('is SOCKS5', async () => {
    const send = NO_AUTH + request(1, 1, LOOPBACK, stage.targetPort) + GET
    const { got, upstream } = await stage.play({ send, until: ANSWER, isTls: true })
    expect(got.startsWith(CHOSEN_NONE + reply(0))).toBe(true)
    expect(upstream).toEqual([GET])
    expect(stage.closed.at(-1)?.client).toEqual({ address: '127.0.0.1', protocol: 'socks5', isTls: true })
  })
})
