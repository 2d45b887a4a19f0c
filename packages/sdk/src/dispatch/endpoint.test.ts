import { expect, test } from 'vitest'
import { basicAuthorization, parseEndpoint } from './endpoint.ts'

test.each([
  ['http://10.0.0.5:8080', 'http', '10.0.0.5', 8080],
  ['https://proxy.example', 'https', 'proxy.example', 443],
  ['http://[::1]', 'http', '::1', 80],
  ['socks5://10.0.0.5', 'socks5', '10.0.0.5', 1080],
  ['socks5h://10.0.0.5:80', 'socks5', '10.0.0.5', 80],
  ['socks5://[2001:db8::1]:9050', 'socks5', '2001:db8::1', 9050],
  ['socks5://прокси.рф:1080', 'socks5', 'xn--h1adldfi.xn--p1ai', 1080],
  ['http://прокси.рф:1080', 'http', 'xn--h1adldfi.xn--p1ai', 1080],
])('%s is the endpoint of a device', (url, protocol, hostname, port) => {
  expect(parseEndpoint(url)).toEqual({ protocol, hostname, port, credentials: null })
})

test.each([
  ['us%40er:p%3Ass', 'us@er', 'p:ss'],
  ['user', 'user', ''],
  ['user:', 'user', ''],
  [':secret', '', 'secret'],
  ['100%:5%zz', '100%', '5%zz'],
  ['%D1%8E%D0%B7%D0%B5%D1%80:п@роль', 'юзер', 'п@роль'],
  ['a%2Fb:c%25d', 'a/b', 'c%d'],
])('credentials %s are user %s with password %s, for HTTP and SOCKS alike', (text, user, password) => {
  for (const scheme of ['http', 'https', 'socks5']) {
    const endpoint = parseEndpoint(`${scheme}://${text}@10.0.0.5:1`)
    expect(endpoint.credentials).toEqual({ user: Buffer.from(user), password: Buffer.from(password) })
    expect(basicAuthorization(endpoint)).toBe(`Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`)
  }
})

test('bytes that are no UTF-8 stay as they are', () => {
  expect(parseEndpoint('socks5://%ff%00:x@h').credentials?.user).toEqual(Buffer.from([0xff, 0x00]))
})
