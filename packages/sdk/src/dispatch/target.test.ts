import { expect, test } from 'vitest'
import { targetOf } from './target.ts'

test.each([
  ['http://example.com', { origin: 'http://example.com', host: 'example.com', hostname: 'example.com', isPlainHttp: true }],
  [
    'https://example.com:8443/',
    { origin: 'https://example.com:8443', host: 'example.com:8443', hostname: 'example.com', isPlainHttp: false },
  ],
  ['http://[2001:db8::1]:81', { origin: 'http://[2001:db8::1]:81', host: '[2001:db8::1]:81', hostname: '2001:db8::1', isPlainHttp: true }],
  [new URL('https://a.b/c'), { origin: 'https://a.b', host: 'a.b', hostname: 'a.b', isPlainHttp: false }],
])('%s is a target', (origin, target) => {
  expect(targetOf({ origin, path: '/', method: 'GET' })).toEqual(target)
})

test.each(['ftp://example.com', '', undefined])('%s is none', (origin) => {
  expect(targetOf({ ...(origin === undefined ? {} : { origin }), path: '/', method: 'GET' })).toBeUndefined()
})
