import { describe, expect, test } from 'vitest'
import { BanRules } from '../bans/ban-rules.ts'
import { MobilePoolError, type MobilePoolErrorCode, type Phase } from '../errors.ts'
import { classifyError } from './classify-error.ts'
import { classifyResponse } from './classify-response.ts'
import { deviceSays } from './device-says.ts'
import type { ResponseHeaders } from './handlers.ts'

const rules = {
  bans: new BanRules(
    [
      { name: 'refused', status: [403, 429] },
      { name: 'captcha', body: 'captcha' },
    ],
    {
      bytes: 100,
      maxWaitMs: 100,
      contentTypes: ['text/html'],
    },
  ),
  retryStatuses: new Set([502]),
}
const request = { options: { method: 'GET' }, target: { hostname: 'shop.com' } }
const judge = (status: number, headers: ResponseHeaders, isAbsoluteForm: boolean) => {
  const { kind, isUnforwarded } = classifyResponse(status, headers, request, isAbsoluteForm, rules)
  return { kind, isUnforwarded }
}

describe('a response', () => {
  test.each([
    [200, {}, 'answered', false],
    [404, {}, 'answered', false],
    [403, {}, 'banned', false],
    [429, {}, 'banned', false],
    [502, {}, 'target_error', false],
    [407, {}, 'device_auth', true],
    [503, { 'x-mobilepool-error': 'draining' }, 'draining', true],
    [503, { 'x-mobilepool-error': 'too_many_connections' }, 'draining', true],
    [503, { 'x-mobilepool-error': 'offline' }, 'device_offline', true],
    [503, { 'x-mobilepool-error': 'egress_leak' }, 'device_offline', true],
    [594, { 'x-mobilepool-error': 'connection_refused' }, 'target_unreachable', true],
    [595, { 'x-mobilepool-error': 'connection_reset' }, 'tunnel_refused', false],
    [200, { 'x-mobilepool-error': 'draining' }, 'answered', false],
    [503, { 'x-mobilepool-error': 'constructor' }, 'answered', false],
  ])('in absolute form: %i %j is %s', (status, headers, kind, isUnforwarded) => {
    expect(judge(status, headers, true)).toEqual({ kind, isUnforwarded })
  })

  test.each([
    [407, {}],
    [503, { 'x-mobilepool-error': 'draining' }],
    [594, { 'x-mobilepool-error': 'connection_refused' }],
  ])('inside a tunnel %i %j is the answer of the target', (status, headers) => {
    expect(judge(status, headers, false)).toEqual({ kind: 'answered', isUnforwarded: false })
  })

  test('that is a ban by its head names the rule; one that may be a ban by its body brings the test for it', () => {
    expect(classifyResponse(403, {}, request, false, rules)).toMatchObject({ match: { rule: 'refused', by: 'status' }, bodyTest: null })
    for (const status of [200, 502]) {
      const { match, bodyTest } = classifyResponse(status, { 'content-type': 'text/html' }, request, true, rules)
      expect(match).toBeNull()
      expect(bodyTest?.match([Buffer.from('<b>CAPTCHA</b>')])).toEqual({ rule: 'captcha', by: 'body' })
    }
    const word = classifyResponse(503, { 'x-mobilepool-error': 'draining', 'content-type': 'text/html' }, request, true, rules)
    expect(word).toMatchObject({ kind: 'draining', bodyTest: null })
  })

  test('only a 5xx can be the word of a device', () => {
    expect(deviceSays(400, { 'x-mobilepool-error': 'draining' })).toBeUndefined()
    expect(deviceSays(503, { 'x-mobilepool-error': ['draining'] })).toBeUndefined()
  })
})

describe('an error', () => {
  const coded = (code: string) => Object.assign(new Error('x'), { code })
  const own = (code: MobilePoolErrorCode, phase: Phase) => new MobilePoolError(code, 'x', { phase })

  test.each([
    [coded('ECONNRESET'), 'sent', 'no_response'],
    [coded('UND_ERR_SOCKET'), 'sent', 'no_response'],
    [coded('ECONNRESET'), 'unsent', 'device_connect'],
    [coded('UND_ERR_HEADERS_TIMEOUT'), 'sent', 'response_timeout'],
    [coded('UND_ERR_INVALID_ARG'), 'unsent', 'caller'],
    [coded('UND_ERR_REQ_CONTENT_LENGTH_MISMATCH'), 'sent', 'caller'],
    [Object.assign(new Error('x'), { name: 'HTTPParserError' }), 'sent', 'no_response'],
    [new Error('disk full'), 'sent', 'caller'],
    [own('MP_DEVICE_CONNECT', 'connect'), 'unsent', 'device_connect'],
    [own('MP_DEVICE_CONNECT', 'tunnel'), 'unsent', 'tunnel_dropped'],
    [own('MP_TUNNEL_TIMEOUT', 'tunnel'), 'unsent', 'tunnel_timeout'],
    [own('MP_TARGET_TLS', 'tls'), 'unsent', 'target_tls'],
    [own('MP_RESPONSE_TIMEOUT', 'response'), 'sent', 'response_timeout'],
    [own('MP_DEVICE_ROTATED', 'body'), 'sent', 'rotated'],
  ] as const)('%s, %s, is %s', (error, reached, kind) => {
    expect(classifyError(error, reached, false).kind).toBe(kind)
  })

  test.each([
    [coded('ECONNRESET'), 'response_broken'],
    [coded('UND_ERR_BODY_TIMEOUT'), 'response_broken'],
    [new Error('thrown by the caller'), 'caller'],
    [own('MP_DEVICE_ROTATED', 'body'), 'rotated'],
  ])('%s after the head is %s', (error, kind) => {
    expect(classifyError(error, 'sent', true)).toMatchObject({ kind, phase: 'body' })
  })

  test('of several addresses shows the code of the first', () => {
    expect(classifyError(new AggregateError([coded('ECONNREFUSED'), coded('ETIMEDOUT')]), 'unsent', false)).toMatchObject({
      errno: 'ECONNREFUSED',
    })
  })
})
