import { describe, expect, test } from 'vitest'
import { framingOf, requestHeaders, responseHeaders } from './headers.ts'

const forward = (raw: string[], message: Partial<Parameters<typeof requestHeaders>[1]> = {}) =>
  requestHeaders(raw, { method: 'GET', hostHeader: 'site.example', framing: 'none', ...message })

describe('the request that the site sees', () => {
  test('keeps names, letter case, order and repeated fields', () => {
    expect(forward(['Host', 'site.example', 'x-B', '1', 'X-a', '2', 'x-B', '3', 'Cookie', 'c=d'])).toEqual([
      ...['Host', 'site.example', 'x-B', '1', 'X-a', '2', 'x-B', '3', 'Cookie', 'c=d'],
      ...['Connection', 'close'],
    ])
  })

  test('has the Host of the URL, in the place of the client’s, once', () => {
    expect(forward(['A', '1', 'hOsT', 'other.example', 'Host', 'third.example'])).toEqual([
      'A',
      '1',
      'hOsT',
      'site.example',
      'Connection',
      'close',
    ])
    expect(forward(['A', '1'])).toEqual(['Host', 'site.example', 'A', '1', 'Connection', 'close'])
  })

  test.each([
    ['Proxy-Authorization', 'Basic dTpw'],
    ['Proxy-Connection', 'keep-alive'],
    ['Keep-Alive', 'timeout=5'],
    ['TE', 'trailers'],
    ['Trailer', 'X-Sum'],
    ['Upgrade', 'h2c'],
    ['X-MobilePool-Session', 'account-42'],
    ['x-mobilepool-device', 'seoul-01'],
  ])('does not have %s', (name, value) => {
    expect(forward(['Host', 'x', name, value])).toEqual(['Host', 'site.example', 'Connection', 'close'])
  })

  test('does not have fields that the client named in Connection, other than those that make the message what it is', () => {
    expect(
      forward(['Host', 'x', 'Connection', 'close, X-Hop,host', 'connection', 'Content-Length', 'x-hop', '1', 'Content-Length', '3']),
    ).toEqual([...['Host', 'site.example', 'Content-Length', '3', 'Connection', 'close']])
  })

  test.each([['Via'], ['X-Forwarded-For'], ['Forwarded']])('passes a %s of the client’s own on, and never adds one', (name) => {
    expect(forward(['Host', 'x', name, 'mine'])).toContain(name)
    expect(forward(['Host', 'x'])).not.toContain(name)
  })

  test('frames a body as it came', () => {
    expect(forward(['Host', 'x', 'Transfer-Encoding', 'chunked'], { method: 'POST', framing: 'chunked' })).toEqual([
      ...['Host', 'site.example', 'Transfer-Encoding', 'chunked', 'Connection', 'close'],
    ])
    expect(forward(['Host', 'x'], { method: 'POST' })).toEqual(['Host', 'site.example', 'Content-Length', '0', 'Connection', 'close'])
  })
})

test('the answer loses connection fields and anything that only the proxy may say, and gets ours', () => {
  const raw = ['Date', 'd', 'Set-Cookie', 'a', 'Set-Cookie', 'b', 'Connection', 'x-hop', 'X-Hop', '1', 'X-MobilePool-Error', 'draining']
  expect(
    responseHeaders([...raw, 'Transfer-Encoding', 'chunked', 'Proxy-Authenticate', 'Basic'], new Map([['X-MobilePool-Ip', '1.2.3.4']])),
  ).toEqual([...['Date', 'd', 'Set-Cookie', 'a', 'Set-Cookie', 'b', 'X-MobilePool-Ip', '1.2.3.4']])
})

test.each([
  [{}, 'none'],
  [{ 'content-length': '5' }, 'length'],
  [{ 'transfer-encoding': 'chunked' }, 'chunked'],
  [{ 'transfer-encoding': ' Chunked' }, 'chunked'],
  [{ 'transfer-encoding': 'gzip, chunked' }, 'unknown'],
  [{ 'transfer-encoding': 'identity' }, 'unknown'],
])('the framing of %j is %s', (headers, framing) => {
  expect(framingOf(headers)).toBe(framing)
})
