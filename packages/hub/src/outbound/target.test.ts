import { expect, test } from 'vitest'
import { classifyAddress } from './target.ts'

test.each([
  ['169.254.169.254', 'never'],
  ['::ffff:169.254.169.254', 'never'],
  ['::ffff:a9fe:a9fe', 'never'],
  ['64:ff9b::a9fe:a9fe', 'never'],
  ['fe80::1', 'never'],
  ['fe80::1%eth0', 'never'],
  ['fd00:ec2::254', 'never'],
  ['100.100.100.200', 'never'],
  ['168.63.129.16', 'never'],
  ['0.0.0.0', 'never'],
  ['::', 'never'],
  ['239.255.255.250', 'never'],
  ['255.255.255.255', 'never'],
  ['localhost', 'never'],
  ['127.0.0.1', 'private'],
  ['::1', 'private'],
  ['::ffff:127.0.0.1', 'private'],
  ['10.1.2.3', 'private'],
  ['100.64.0.1', 'private'],
  ['172.31.255.255', 'private'],
  ['192.168.8.1', 'private'],
  ['fd12::1', 'private'],
  ['172.32.0.1', 'public'],
  ['198.51.100.7', 'public'],
  ['2001:db8::1', 'public'],
  ['::ffff:8.8.8.8', 'public'],
])('%s is %s', (address, expected) => {
  expect(classifyAddress(address)).toBe(expected)
})
