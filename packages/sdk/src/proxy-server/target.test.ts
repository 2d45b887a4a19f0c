import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { authorityOf, parseAbsoluteTarget, parseConnectTarget } from './target.ts'

describe('the target of CONNECT', () => {
  test.each([
    ['example.com:443', 'example.com', 443],
    ['EXAMPLE.com:443', 'example.com', 443],
    ['127.0.0.1:80', '127.0.0.1', 80],
    ['[::1]:8443', '::1', 8443],
    ['[2001:DB8:0:0::1]:1', '2001:db8::1', 1],
    ['münchen.example:65535', 'xn--mnchen-3ya.example', 65535],
    ['a_b.example:80', 'a_b.example', 80],
  ])('%s is understood', (text, host, port) => {
    expect(parseConnectTarget(text)).toEqual({ host, port })
  })

  test.each([
    ['0x7f.1:80', '127.0.0.1'],
    ['2130706433:80', '127.0.0.1'],
    ['127.1:80', '127.0.0.1'],
    ['0177.0.0.1:80', '127.0.0.1'],
    ['[::ffff:127.0.0.1]:80', '::ffff:7f00:1'],
  ])('the odd address %s is put into its usual form, so that a guard can judge it', (text, host) => {
    expect(parseConnectTarget(text).host).toBe(host)
  })

  test.each([
    [''],
    ['example.com'],
    ['example.com:'],
    ['example.com:0'],
    ['example.com:65536'],
    ['example.com:123456'],
    ['example.com:8o'],
    ['user@example.com:80'],
    ['http://example.com:80'],
    ['example.com:80/path'],
    ['a b:80'],
    ['::1:80'],
    ['[::1:80'],
    ['[127.0.0.1]:80'],
    ['[::1]x:80'],
    [':80'],
    [`${'a'.repeat(300)}:80`],
    ['exa%mple:80'],
  ])('%s is refused', (text) => {
    expect(() => parseConnectTarget(text)).toThrow(expect.objectContaining({ code: 'bad_request' }))
  })

  test('what is written out can be read back', () => {
    fc.assert(
      fc.property(fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6()), fc.integer({ min: 1, max: 65_535 }), (host, port) => {
        const target = parseConnectTarget(authorityOf({ host, port }))
        expect(parseConnectTarget(authorityOf(target))).toEqual(target)
      }),
    )
  })
})

describe('an absolute-form target', () => {
  test.each([
    ['http://example.com', 'GET', { host: 'example.com', port: 80, hostHeader: 'example.com', path: '/' }],
    ['http://example.com:8080/a?b', 'GET', { host: 'example.com', port: 8080, hostHeader: 'example.com:8080', path: '/a?b' }],
    ['HTTP://Example.com/', 'GET', { host: 'example.com', port: 80, hostHeader: 'Example.com', path: '/' }],
    ['http://example.com?q=1', 'GET', { host: 'example.com', port: 80, hostHeader: 'example.com', path: '/?q=1' }],
    ['http://example.com/a/../b//c%7e|d', 'GET', { host: 'example.com', port: 80, hostHeader: 'example.com', path: '/a/../b//c%7e|d' }],
    ['http://[::1]:81/x', 'GET', { host: '::1', port: 81, hostHeader: '[::1]:81', path: '/x' }],
    ['http://example.com/a#frag', 'GET', { host: 'example.com', port: 80, hostHeader: 'example.com', path: '/a' }],
    ['http://example.com', 'OPTIONS', { host: 'example.com', port: 80, hostHeader: 'example.com', path: '*' }],
  ])('%s (%3$s) is taken apart without touching the path', (url, method, expected) => {
    expect(parseAbsoluteTarget(url, method)).toEqual(expected)
  })

  test.each([
    ['/path', 'This is a proxy'],
    ['*', 'This is a proxy'],
    ['https://example.com/', 'CONNECT'],
    ['ftp://example.com/', 'CONNECT'],
    ['http://user:pw@example.com/', 'Authorization header'],
    ['http:///path', 'host:port'],
    ['http://example.com:99999/', 'port from 1 to 65535'],
  ])('%s is refused with what would be right', (url, says) => {
    expect(() => parseAbsoluteTarget(url, 'GET')).toThrow(says)
  })
})

test('the name of a host is what URLs take for it, whichever way it was read', () => {
  const label = fc.stringMatching(/^(xn--|0x)?[a-z0-9-]{0,6}$/)
  fc.assert(
    fc.property(fc.array(label, { minLength: 1, maxLength: 4 }), (labels) => {
      const name = labels.join('.')
      const url = URL.canParse(`http://${name}/`) ? new URL(`http://${name}/`).hostname : ''
      if (url === '') expect(() => parseConnectTarget(`${name}:443`)).toThrow()
      else expect(parseConnectTarget(`${name}:443`)).toEqual({ host: url, port: 443 })
    }),
    { numRuns: 2_000 },
  )
})
