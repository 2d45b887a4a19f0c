import fc from 'fast-check'
import { expect, test } from 'vitest'
import { classifyAddress } from './address-class.ts'

test.each([
  ['169.254.169.254', 'never'],
  ['169.254.0.1', 'never'],
  ['100.100.100.200', 'never'],
  ['168.63.129.16', 'never'],
  ['192.0.0.192', 'never'],
  ['0.0.0.0', 'never'],
  ['0.1.2.3', 'never'],
  ['224.0.0.1', 'never'],
  ['239.255.255.250', 'never'],
  ['240.0.0.1', 'never'],
  ['255.255.255.255', 'never'],
  ['::', 'never'],
  ['::127.0.0.1', 'never'],
  ['::a00:1', 'never'],
  ['::ffff:169.254.169.254', 'never'],
  ['::ffff:a9fe:a9fe', 'never'],
  ['0:0:0:0:0:FFFF:a9fe:a9fe', 'never'],
  ['::ffff:0:10.0.0.1', 'never'],
  ['64:ff9b::a9fe:a9fe', 'never'],
  ['64:ff9b::', 'never'],
  ['64:ff9b::7', 'never'],
  ['64:ff9b:1::1', 'never'],
  ['2001::1', 'never'],
  ['2001:0:4136:e378:8000:63bf:3fff:fdd2', 'never'],
  ['2002:7f00:1::', 'never'],
  ['2002:a9fe:a9fe::', 'never'],
  ['fe80::1', 'never'],
  ['fe80::1%eth0', 'never'],
  ['2606:4700::1111%eth0', 'never'],
  ['fd00:ec2::254', 'never'],
  ['ff02::1', 'never'],
  ['localhost', 'never'],
  ['127.1', 'never'],
  ['0x7f000001', 'never'],
  ['', 'never'],
  ['10.1.2.3', 'private'],
  ['100.64.0.1', 'private'],
  ['100.127.255.255', 'private'],
  ['127.0.0.1', 'private'],
  ['127.255.255.254', 'private'],
  ['172.16.0.1', 'private'],
  ['172.31.255.255', 'private'],
  ['192.0.0.1', 'private'],
  ['192.0.2.9', 'private'],
  ['192.168.8.1', 'private'],
  ['198.18.0.1', 'private'],
  ['198.51.100.7', 'private'],
  ['203.0.113.9', 'private'],
  ['::1', 'private'],
  ['0:0:0:0:0:0:0:1', 'private'],
  ['::ffff:127.0.0.1', 'private'],
  ['::ffff:7f00:1', 'private'],
  ['::FFFF:10.0.0.1', 'private'],
  ['64:ff9b::10.0.0.1', 'private'],
  ['64:ff9b::7f00:1', 'private'],
  ['2001:db8::1', 'private'],
  ['100::1', 'private'],
  ['fc00::1', 'private'],
  ['fd12::1', 'private'],
  ['fec0::1', 'private'],
  ['1.1.1.1', 'public'],
  ['9.255.255.255', 'public'],
  ['11.0.0.0', 'public'],
  ['100.63.255.255', 'public'],
  ['100.128.0.0', 'public'],
  ['126.255.255.255', 'public'],
  ['128.0.0.1', 'public'],
  ['172.15.255.255', 'public'],
  ['172.32.0.0', 'public'],
  ['192.167.255.255', 'public'],
  ['223.255.255.255', 'public'],
  ['2606:4700::1111', 'public'],
  ['::ffff:1.1.1.1', 'public'],
  ['64:ff9b::1.1.1.1', 'public'],
])('%s is %s', (address, expected) => {
  expect(classifyAddress(address)).toBe(expected)
})

test('an IPv4 address is judged the same in its own, in its mapped and in its NAT64 form', () => {
  fc.assert(
    fc.property(fc.ipV4(), (address) => {
      const hex = address.split('.').map((part) => Number(part).toString(16).padStart(2, '0'))
      const groups = `${hex.slice(0, 2).join('')}:${hex.slice(2).join('')}`
      const forms = [`::ffff:${address}`, `::ffff:${groups}`, `0:0:0:0:0:ffff:${groups}`, `64:ff9b::${address}`, `64:ff9b::${groups}`]
      expect(forms.map(classifyAddress)).toEqual(forms.map(() => classifyAddress(address)))
    }),
  )
})
