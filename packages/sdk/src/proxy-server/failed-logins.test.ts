import { expect, test } from 'vitest'
import { FailedLogins } from './failed-logins.ts'

const delaysOf = (logins: FailedLogins, address: string, count: number): number[] =>
  Array.from({ length: count }, () => logins.note(address))

test('the first five wrong credentials of an address cost nothing, further ones twice as long each, up to five seconds', () => {
  const logins = new FailedLogins(() => 0)
  expect(delaysOf(logins, '203.0.113.9', 13)).toEqual([0, 0, 0, 0, 0, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000])
})

test('other addresses are not delayed, but the same one is in its mapped form, and an IPv6 client is its /64', () => {
  const logins = new FailedLogins(() => 0)
  delaysOf(logins, '203.0.113.9', 10)
  expect(logins.note('203.0.113.10')).toBe(0)
  expect(logins.note('::ffff:203.0.113.9')).toBe(3_200)
  delaysOf(logins, '2001:db8:1:2::1', 10)
  expect([logins.note('2001:db8:1:2:ffff::9'), logins.note('2001:db8:1:3::1')]).toEqual([3_200, 0])
})

test('half of the failures are forgotten in a minute', () => {
  let now = 0
  const logins = new FailedLogins(() => now)
  delaysOf(logins, 'a', 10)
  now = 60_000
  expect(logins.note('a')).toBe(100)
  now = 600_000
  expect(logins.note('a')).toBe(0)
})

test('however many addresses guess, ten thousand are remembered', () => {
  const logins = new FailedLogins(() => 0)
  for (let i = 0; i < 30_000; i++) logins.note(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`)
  expect(logins.size).toBe(10_000)
})

test('while thirty-two delayed answers of an address are due no further credentials of it are looked at', async () => {
  const logins = new FailedLogins(() => 0)
  delaysOf(logins, 'a', 20)
  const waiting = Array.from({ length: 32 }, () => logins.punish('a'))
  expect([logins.isSaturated('a'), logins.isSaturated('b')]).toEqual([true, false])
  logins.close()
  await Promise.all(waiting)
  expect(logins.isSaturated('a')).toBe(false)
})
