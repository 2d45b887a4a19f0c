import { expect, test } from 'vitest'
import { fixedCredentials, parseBasic } from './authenticate.ts'

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`

test.each([
  [basic('user:pass'), { username: 'user', password: 'pass' }],
  [basic('user:pa:ss:'), { username: 'user', password: 'pa:ss:' }],
  [basic(':pass'), { username: '', password: 'pass' }],
  [basic('user:'), { username: 'user', password: '' }],
  [basic('usér:ключ'), { username: 'usér', password: 'ключ' }],
  [basic('user:pass').replace('Basic', 'bAsIc '), { username: 'user', password: 'pass' }],
  [basic('nocolon'), null],
  ['Bearer abc', null],
  ['Basic', null],
  ['Basic !!!', null],
  ['', null],
  [undefined, null],
])('Proxy-Authorization %j is read as %j', (header, expected) => {
  expect(parseBasic(header)).toEqual(expected)
})

test.each([
  [{ username: 'parser', password: 'secret' }, true],
  [{ username: 'parser', password: 'secret ' }, false],
  [{ username: 'parser', password: '' }, false],
  [{ username: 'Parser', password: 'secret' }, false],
  [{ username: '', password: 'secret' }, false],
  [null, false],
])('with fixed credentials %j is allowed: %s', async (credentials, allowed) => {
  const authenticate = fixedCredentials({ username: 'parser', password: 'secret' })
  expect((await authenticate(credentials, { address: '127.0.0.1', protocol: 'http', isTls: false })).allowed).toBe(allowed)
})

test('empty fixed credentials let nobody in who sends none', async () => {
  const authenticate = fixedCredentials({ username: '', password: '' })
  expect(await authenticate(null, { address: '127.0.0.1', protocol: 'http', isTls: false })).toMatchObject({ allowed: false })
})
