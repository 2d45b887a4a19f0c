import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isCidr, isLoopbackHost, isSameExit, limitKey, networkMatcher, normalAddress, prefix64 } from './address.ts'

test.each([
  ['112.161.54.7', '112.161.54.7'],
  ['::ffff:112.161.54.7', '112.161.54.7'],
  ['::FFFF:127.0.0.1', '127.0.0.1'],
  ['2001:DB8::1', '2001:db8::1'],
  ['fe80::1%eth0', 'fe80::1'],
  ['garbage', null],
  ['203.0.113.7:5555', null],
  ['::ffff:999.1.1.1', null],
  ['', null],
  [undefined, null],
])('%s is written as %s', (text, expected) => {
  expect(normalAddress(text)).toBe(expected)
})

test.each([
  ['112.161.54.7', '112.161.54.7', true],
  ['112.161.54.7', '112.161.54.8', false],
  ['2001:db8:1:2::1', '2001:db8:1:2:aaaa:bbbb:cccc:dddd', true],
  ['2001:db8:1:2::1', '2001:0db8:0001:0002::9', true],
  ['2001:db8:1:2::1', '2001:db8:1:3::1', false],
  ['::1', '2001:db8::1', false],
  ['112.161.54.7', '2001:db8::1', false],
  ['2001:db8::1', '112.161.54.7', false],
])('%s and %s are the same exit: %s', (a, b, expected) => {
  expect(isSameExit(a, b)).toBe(expected)
})

test('every spelling of an IPv6 address has the same /64', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 0xffff }), { minLength: 8, maxLength: 8 }),
      fc.integer({ min: 0, max: 7 }),
      (groups, zeroed) => {
        const full = groups.map((group, index) => (index >= zeroed ? 0 : group))
        const long = full.map((group) => group.toString(16).padStart(4, '0')).join(':')
        const short = `${full
          .slice(0, zeroed)
          .map((group) => group.toString(16))
          .join(':')}::`
        expect(prefix64(short)).toBe(prefix64(long))
      },
    ),
  )
})

test('a limit is kept for one IPv4 address and for one IPv6 network', () => {
  expect(limitKey('112.161.54.7')).toBe('112.161.54.7')
  expect(limitKey('2001:db8:1:2::1')).toBe(limitKey('2001:db8:1:2:ffff::9'))
})

test.each([
  ['10.0.0.0/8', true],
  ['10.0.0.1', true],
  ['2001:db8::/32', true],
  ['10.0.0.0/33', false],
  ['10.0.0.0/', false],
  ['10.0.0.0/8/8', false],
  ['farm', false],
])('%s is a network: %s', (text, expected) => {
  expect(isCidr(text)).toBe(expected)
})

test('a network holds its addresses, of its own family', () => {
  const isListed = networkMatcher(['10.1.0.0/16', '192.0.2.7', '2001:db8::/32'])
  expect(['10.1.255.255', '192.0.2.7', '2001:db8:ffff::1'].every(isListed)).toBe(true)
  expect(['10.2.0.1', '192.0.2.8', '2001:db9::1'].some(isListed)).toBe(false)
  expect(networkMatcher([])('10.0.0.1')).toBe(false)
})

test('only loopback is loopback', () => {
  expect(['127.0.0.1', '127.10.9.9', '::1', 'localhost'].every(isLoopbackHost)).toBe(true)
  expect(['0.0.0.0', '::', '10.0.0.1', '127.example.com', 'hub'].some(isLoopbackHost)).toBe(false)
})
