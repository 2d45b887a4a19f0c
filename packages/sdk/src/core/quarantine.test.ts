import { expect, test } from 'vitest'
import { type ExitMemory, Quarantine } from './quarantine.ts'

const MINUTE = 60_000
const none = (): ReadonlySet<ExitMemory> => new Set()
const make = () => {
  const quarantine = new Quarantine({ quarantineMs: 10 * MINUTE })
  return { quarantine, exit: quarantine.exit('112.161.54.7', 0, none) }
}

test('a ban nobody has confirmed lasts a sixtieth, then a tenth, then all of it', () => {
  const { quarantine, exit } = make()
  expect(quarantine.ban(exit, 'shop.com', undefined, 0).until).toBe(10_000)
  expect(quarantine.ban(exit, 'shop.com', undefined, 10_000).until).toBe(10_000 + MINUTE)
  expect(quarantine.ban(exit, 'shop.com', undefined, 70_000).until).toBe(70_000 + 10 * MINUTE)
  expect(exit.strikes).toBe(3)
})

test('a confirmed ban lasts all of it at once, at this site only', () => {
  const { quarantine, exit } = make()
  quarantine.ban(exit, 'shop.com', undefined, 0)
  expect(quarantine.confirm(exit, 'shop.com', 5)).toBe(5 + 10 * MINUTE)
  expect(exit.quarantinedUntil('shop.com', 10 * MINUTE)).toBeGreaterThan(0)
  expect(exit.quarantinedUntil('shop.com', 5 + 10 * MINUTE)).toBe(0)
  expect(exit.quarantinedUntil('other.com', 6)).toBe(0)
})

test('Retry-After is taken at its word, up to a day', () => {
  const { quarantine, exit } = make()
  expect(quarantine.ban(exit, 'a.com', 2_000, 0).until).toBe(2_000)
  expect(quarantine.ban(exit, 'b.com', 10 * 365 * 86_400_000, 0).until).toBe(86_400_000)
})

test('a shorter ban does not cut a longer one', () => {
  const { quarantine, exit } = make()
  quarantine.ban(exit, 'a.com', 100_000, 0)
  expect(quarantine.ban(exit, 'a.com', 1_000, 0).until).toBe(100_000)
})

test('a proper answer ends the count of strikes, but one that was under way does not lift the ban', () => {
  const { quarantine, exit } = make()
  quarantine.ban(exit, 'a.com', undefined, 0)
  quarantine.clear(exit, 'a.com', 1)
  expect(exit.quarantinedUntil('a.com', 1)).toBe(10_000)
  quarantine.clear(exit, 'a.com', 10_000)
  expect(exit.strikes).toBe(0)
  expect(quarantine.ban(exit, 'a.com', undefined, 10_000).until).toBe(20_000)
})

test('the memory of an exit IP outlives the device that had it, and is bounded', () => {
  const { quarantine, exit } = make()
  quarantine.ban(exit, 'a.com', undefined, 0)
  expect(quarantine.exit('112.161.54.7', 1, none)).toBe(exit)
  for (let i = 0; i < 25_000; i++) quarantine.exit(`10.${i}`, 100_000, () => new Set([exit]))
  expect(quarantine.exit('112.161.54.7', 1, none)).toBe(exit)
  for (let i = 0; i < 1_500; i++) quarantine.ban(exit, `site-${i}.com`, undefined, 0)
  expect(exit.sites.size).toBe(1_000)
})
