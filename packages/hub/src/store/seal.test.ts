import fc from 'fast-check'
import { expect, test } from 'vitest'
import { joinProxyUrl, splitProxyUrl } from './proxy-address.ts'
import { createSeal } from './seal.ts'

const seal = createSeal('the operator’s own secret')

test('what is sealed comes out again, and never looks the same twice', () => {
  fc.assert(
    fc.property(fc.string(), fc.uuid(), (plain, context) => {
      expect(seal.open(seal.close(plain, context), context)).toBe(plain)
    }),
  )
  expect(seal.close('same', 'a')).not.toBe(seal.close('same', 'a'))
})

test('another key, another row or a changed byte does not open it', () => {
  const sealed = seal.close('user:password', 'device-1')
  expect(() => createSeal('quite another secret').open(sealed, 'device-1')).toThrow()
  expect(() => seal.open(sealed, 'device-2')).toThrow()
  const at = sealed.length - 5
  const changed = sealed.slice(0, at) + (sealed[at] === 'A' ? 'B' : 'A') + sealed.slice(at + 1)
  expect(() => seal.open(changed, 'device-1')).toThrow()
  expect(() => seal.open('v1.', 'device-1')).toThrow()
  expect(() => seal.open('plain text', 'device-1')).toThrow()
})

test.each([
  ['http://user:p%40ss@10.0.0.5:8080', 'http://user:p%40ss@10.0.0.5:8080'],
  ['http://10.0.0.5', 'http://10.0.0.5:80'],
  ['https://proxy.example/path?x=1', 'https://proxy.example:443'],
  ['http://token@[2001:db8::1]:3128', 'http://token:@[2001:db8::1]:3128'],
])('the proxy URL %s is kept as %s', (url, kept) => {
  expect(joinProxyUrl(splitProxyUrl(url))).toBe(kept)
})
