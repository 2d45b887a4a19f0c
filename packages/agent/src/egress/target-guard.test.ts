import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isPublicAddress } from './target-guard.ts'

test.each([
  ['0.0.0.0'],
  ['10.1.2.3'],
  ['100.64.0.1'],
  ['100.127.255.255'],
  ['100.100.100.200'],
  ['127.0.0.1'],
  ['127.255.255.254'],
  ['169.254.169.254'],
  ['172.16.0.1'],
  ['172.31.255.255'],
  ['192.0.0.192'],
  ['192.168.8.1'],
  ['198.18.0.1'],
  ['203.0.113.9'],
  ['224.0.0.1'],
  ['239.255.255.250'],
  ['240.0.0.1'],
  ['255.255.255.255'],
  ['::'],
  ['::1'],
  ['0:0:0:0:0:0:0:1'],
  ['::127.0.0.1'],
  ['::ffff:127.0.0.1'],
  ['::ffff:7f00:1'],
  ['0:0:0:0:0:ffff:a00:1'],
  ['::FFFF:10.0.0.1'],
  ['64:ff9b::10.0.0.1'],
  ['64:ff9b::7f00:1'],
  ['64:ff9b:1::1'],
  ['2002:7f00:1::'],
  ['2001::1'],
  ['2001:db8::1'],
  ['fc00::1'],
  ['fd00:ec2::254'],
  ['fe80::1'],
  ['fe80::1%eth0'],
  ['ff02::1'],
  ['not an address'],
  ['127.1'],
  [''],
])('%s is refused', (address) => {
  expect(isPublicAddress(address)).toBe(false)
})

test.each([
  ['1.1.1.1'],
  ['9.255.255.255'],
  ['11.0.0.0'],
  ['100.63.255.255'],
  ['100.128.0.0'],
  ['126.255.255.255'],
  ['128.0.0.1'],
  ['172.15.255.255'],
  ['172.32.0.0'],
  ['192.167.255.255'],
  ['223.255.255.255'],
  ['2606:4700::1111'],
  ['::ffff:1.1.1.1'],
  ['64:ff9b::1.1.1.1'],
])('%s is allowed', (address) => {
  expect(isPublicAddress(address)).toBe(true)
})

test('an IPv4 address is judged the same in its own and in its mapped form', () => {
  fc.assert(
    fc.property(fc.ipV4(), (address) => {
      const hex = address.split('.').map((part) => Number(part).toString(16).padStart(2, '0'))
      const mapped = [`::ffff:${address}`, `::ffff:${hex.slice(0, 2).join('')}:${hex.slice(2).join('')}`]
      expect(mapped.map(isPublicAddress)).toEqual([isPublicAddress(address), isPublicAddress(address)])
    }),
  )
})
