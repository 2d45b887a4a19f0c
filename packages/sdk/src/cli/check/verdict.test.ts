import { describe, expect, it } from 'vitest'
import type { Observation } from './observation.ts'
import { addedBy, judgeProxy, type Question } from './verdict.ts'

const fine: Observation = {
  proxy: 'http://seoul:***@10.0.0.5:8080',
  unreachable: null,
  credentials: 'accepted',
  isOpenToAnyone: false,
  connect: { kind: 'works' },
  absoluteForm: { kind: 'works' },
  exitIp: '203.0.113.7',
  directIp: '198.51.100.1',
  addedHeaders: [],
  resolvesNames: true,
  latency: { connectMs: 20, tunnelMs: 90, firstByteMs: 120 },
  targets: [],
}
const question: Question = { echo: new URL('http://echo.example/'), isSocks: false, hasCredentials: true }
const failed = { kind: 'failed', why: 'answered with 403', status: 403 } as const

describe('judgeProxy', () => {
  it('has nothing to say of a proxy that is fine', () => expect(judgeProxy(fine, question)).toEqual({ problems: [], hints: [] }))

  it.each<[string, Partial<Observation>, Partial<Question>, string[], string[]]>([
    ['cannot be reached', { unreachable: 'ECONNREFUSED', exitIp: null }, {}, ['unreachable'], []],
    ['refuses the credentials', { credentials: 'refused', exitIp: null }, {}, ['credentials_refused'], []],
    ['wants credentials', { credentials: 'refused', exitIp: null }, { hasCredentials: false }, ['credentials_missing'], []],
    ['lets anybody in', { isOpenToAnyone: true }, {}, [], ['open_to_anyone']],
    ['never asked for any', { isOpenToAnyone: true, credentials: 'not_asked' }, { hasCredentials: false }, [], []],
    ['does CONNECT only', { absoluteForm: failed }, {}, [], ['no_absolute_form']],
    ['refuses CONNECT to the echo', { connect: failed }, {}, [], ['connect_refused']],
    ['lets nothing through', { connect: failed, absoluteForm: failed, exitIp: null }, {}, ['no_way_through', 'no_way_through'], []],
    ['leads to no echo', { exitIp: null, addedHeaders: null }, {}, ['exit_unknown'], ['headers_unknown']],
    ['goes out by our own address', { exitIp: '198.51.100.1' }, {}, ['exit_is_ours'], []],
    ['says that it is a proxy', { addedHeaders: [{ name: 'via', value: '1.1 squid' }] }, {}, ['adds_headers'], []],
    ['tells who we are', { addedHeaders: [{ name: 'x-forwarded-for', value: '198.51.100.1' }] }, {}, ['reveals_us'], []],
    ['uses an echo that tells no headers', { addedHeaders: null }, {}, [], ['headers_unknown']],
    ['blocks a port', { targets: [{ target: 'a.example:25', isOpen: false, why: '403', durationMs: 1 }] }, {}, ['target_closed'], []],
    ['was not asked for its exit', { exitIp: null, addedHeaders: null }, { echo: null }, [], []],
  ])('of a proxy that %s', (_name, seen, asked, problems, hints) => {
    const verdict = judgeProxy({ ...fine, ...seen }, { ...question, ...asked })
    expect(verdict.problems.map(({ code }) => code)).toEqual(problems)
    expect(verdict.hints.map(({ code }) => code)).toEqual(hints)
  })
})

describe('addedBy', () => {
  const sent = { accept: '*/*' }
  it.each<[string, Record<string, string>, Record<string, string> | null, string[]]>([
    ['what we sent is nobody else’s', { accept: '*/*', host: 'a', connection: 'close' }, null, []],
    ['what we did not send is the proxy’s', { accept: '*/*', via: '1.1 squid' }, {}, ['via']],
    ['what was changed on the way is the proxy’s', { accept: 'text/html' }, {}, ['accept']],
    ['what the echo’s own load balancer adds is not', { 'x-forwarded-for': '203.0.113.7' }, { 'x-forwarded-for': '198.51.100.1' }, []],
    [
      'a hop more than without the proxy is',
      { 'x-forwarded-for': '10.0.0.1, 203.0.113.7' },
      { 'x-forwarded-for': '198.51.100.1' },
      ['x-forwarded-for'],
    ],
  ])('%s', (_name, through, direct, names) => expect(addedBy(through, sent, direct).map(({ name }) => name)).toEqual(names))
})
