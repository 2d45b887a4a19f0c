import { expect, test } from 'vitest'
import { failureOf } from './failure.ts'
import { ProxyError } from './proxy-error.ts'
import { replyStatuses } from './statuses.ts'

const withCode = (code: string) => Object.assign(new Error('password=hunter2'), { code })

test.each([
  ['ENOTFOUND', 'dns_failed', 593],
  ['EAI_AGAIN', 'dns_failed', 593],
  ['ECONNREFUSED', 'connection_refused', 594],
  ['ECONNRESET', 'connection_reset', 595],
  ['EPIPE', 'broken_pipe', 596],
  ['ETIMEDOUT', 'connect_timeout', 504],
  ['EADDRNOTAVAIL', 'offline', 503],
  ['EHOSTUNREACH', 'host_unreachable', 599],
  ['ENETUNREACH', 'network_unreachable', 599],
  ['HPE_INVALID_CONSTANT', 'bad_response', 592],
  ['ESOMETHING', 'upstream_failed', 599],
])('%s is told as %s (%i), without the text of the error', (code, expected, status) => {
  const failure = failureOf(withCode(code))
  expect(failure.code).toBe(expected)
  expect(replyStatuses[failure.code].status).toBe(status)
  expect(failure.detail).not.toContain('hunter2')
})

test.each([
  ['queryA', 'ENOTFOUND'],
  ['queryA', 'ECONNREFUSED'],
  ['queryA', 'ETIMEOUT'],
  ['queryAaaa', 'ESERVFAIL'],
  ['getaddrinfo', 'EAI_FAIL'],
])('%s failing with %s is the name server’s failure, not the target’s', (syscall, code) => {
  expect(failureOf(Object.assign(withCode(code), { syscall })).code).toBe('dns_failed')
})

test('connect() chooses the answer by throwing a ProxyError', () => {
  expect(failureOf(new ProxyError('target_refused', 'Port 25 is closed here.'))).toEqual({
    code: 'target_refused',
    detail: 'Port 25 is closed here.',
  })
})

test.each([[null], ['text'], [new Error('x')], [new ProxyError('open_proxy', 'x')]])('%s is a plain upstream failure', (error) => {
  expect(failureOf(error).code).toBe('upstream_failed')
})

test('only what concerns the account or address of the client itself is a 403 or a 429: scrapers take those for a ban by the site', () => {
  const likeBans = Object.entries(replyStatuses).filter(([, { status }]) => [403, 429].includes(status))
  expect(likeBans.map(([code]) => code)).toEqual([
    'client_refused',
    'too_many_requests',
    'user_limit',
    'address_limit',
    'too_many_failures',
  ])
})
