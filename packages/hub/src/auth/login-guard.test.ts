import { describe, expect, test } from 'vitest'
import { LoginGuard } from './login-guard.ts'

const T0 = 1_000_000_000
const MINUTE = 60_000

/** How many attempts of one address pass at one moment. */
const passed = (guard: LoginGuard, account: string, address: string, now: number, tries: number): number =>
  Array.from({ length: tries }, () => guard.attempt(account, address, now)).filter((wait) => wait === 0).length

describe('wrong passwords', () => {
  test('of one address for one account: five at once, then a wait that doubles up to a quarter of an hour', () => {
    const guard = new LoginGuard()
    let now = T0
    expect(passed(guard, 'alice', '192.0.2.1', now, 20)).toBe(5)
    for (const waitMs of [30_000, 60_000, 120_000, 240_000, 480_000, 900_000, 900_000]) {
      expect(guard.attempt('Alice', '192.0.2.1', now)).toBe(waitMs)
      expect(guard.attempt('alice', '192.0.2.1', now + waitMs - 1)).toBe(1)
      now += waitMs
      expect(guard.attempt('alice', '192.0.2.1', now)).toBe(0)
    }
  })

  test('are forgotten after an hour without one', () => {
    const guard = new LoginGuard()
    passed(guard, 'alice', '192.0.2.1', T0, 5)
    expect(guard.attempt('alice', '192.0.2.1', T0 + 60 * MINUTE)).toBe(0)
    expect(passed(guard, 'alice', '192.0.2.1', T0 + 60 * MINUTE, 10)).toBe(4)
  })

  test('of one address for many accounts end after thirty; the addresses of one IPv6 /64 are one', () => {
    const guard = new LoginGuard()
    let count = 0
    for (let n = 0; n < 100; n++) if (guard.attempt(`user-${n}`, `2001:db8::${n.toString(16)}`, T0) === 0) count++
    expect(count).toBe(30)
    expect(guard.attempt('user-1', '2001:db8:1::1', T0)).toBe(0)
  })

  test('of a thousand addresses for one account slow each other down, but lock nobody out for more than a minute', () => {
    const guard = new LoginGuard()
    expect(guard.attempt('alice', '198.51.100.9', T0)).toBe(0)
    guard.succeeded('alice', '198.51.100.9')
    let [now, guesses] = [T0, 0]
    for (let n = 0; n < 10_000; n++, now += 100) if (guard.attempt('alice', `10.0.${n >> 8}.${n & 255}`, now) === 0) guesses++
    // 1,000 seconds of attack.
    expect(guesses).toBeLessThan(50 + 4 + 1_000 / 60 + 2)
    expect(guard.attempt('alice', '192.0.2.200', now)).toBeLessThanOrEqual(MINUTE)
    // From where she has logged in before she gets in at once.
    expect(guard.attempt('alice', '198.51.100.9', now)).toBe(0)
  })
})

test('a right password clears what its owner mistyped, and nothing of what the address did to others', () => {
  const guard = new LoginGuard()
  passed(guard, 'alice', '192.0.2.1', T0, 4)
  expect(guard.attempt('alice', '192.0.2.1', T0)).toBe(0)
  guard.succeeded('alice', '192.0.2.1')
  expect(passed(guard, 'alice', '192.0.2.1', T0, 20)).toBe(5)

  const other = new LoginGuard()
  for (let n = 0; n < 29; n++) other.attempt(`user-${n}`, '192.0.2.1', T0)
  expect(other.attempt('mallory', '192.0.2.1', T0)).toBe(0)
  other.succeeded('mallory', '192.0.2.1')
  expect(other.attempt('user-50', '192.0.2.1', T0)).toBe(0)
  expect(other.attempt('user-51', '192.0.2.1', T0)).toBeGreaterThan(0)
})
