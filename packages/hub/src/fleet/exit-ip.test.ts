import { expect, test } from 'vitest'
import { addressesOf, compareExit, type Exits, noExits, seeAddress, shownExit } from './exit-ip.ts'

const T0 = Date.parse('2026-11-22T03:00:00.000Z')
const MINUTE = 60_000

/** Feeds one address a minute and returns the final exits and how many changes there were. */
function live(addresses: string[]): { exits: Exits; changes: number; stints: number } {
  let exits = noExits
  let changes = 0
  let stints = 0
  for (const [minute, address] of addresses.entries()) {
    const seen = seeAddress(exits, address, T0 + minute * MINUTE)
    exits = seen.exits
    changes += Number(seen.changed)
    stints += seen.stints.length
  }
  return { exits, changes, stints }
}

test('the first address is no change', () => {
  const seen = seeAddress(noExits, '112.161.54.7', T0)
  expect(seen).toMatchObject({ changed: false, oldIp: null, stints: [{ ip: '112.161.54.7', firstSeen: T0, lastSeen: T0 }] })
})

test('the same address again extends its stretch and writes nothing', () => {
  const { exits } = seeAddress(noExits, '112.161.54.7', T0)
  const again = seeAddress(exits, '112.161.54.7', T0 + MINUTE)
  expect(again).toMatchObject({ changed: false, stints: [] })
  expect(again.exits.v4).toMatchObject({ firstSeen: T0, lastSeen: T0 + MINUTE })
})

test('another address ends the stretch when it was last seen, and begins the next', () => {
  const { exits } = live(['112.161.54.7', '112.161.54.7'])
  const moved = seeAddress(exits, '112.161.54.8', T0 + 5 * MINUTE)
  expect(moved.changed).toBe(true)
  expect(moved.oldIp).toBe('112.161.54.7')
  expect(moved.stints).toMatchObject([
    { ip: '112.161.54.7', firstSeen: T0, lastSeen: T0 + MINUTE },
    { ip: '112.161.54.8', firstSeen: T0 + 5 * MINUTE, lastSeen: T0 + 5 * MINUTE },
  ])
})

test('a dual-stack phone that alternates between families has not changed its address', () => {
  expect(live(['112.161.54.7', '2001:db8::1', '112.161.54.7', '2001:db8::1'])).toMatchObject({ changes: 0, stints: 2 })
})

test('a privacy address of the same /64 is no change, and is the one shown', () => {
  const { exits, changes } = live(['2001:db8:0:1::1', '2001:db8:0:1:aaaa::2'])
  expect(changes).toBe(0)
  expect(shownExit(exits, T0)).toMatchObject({ ip: '2001:db8:0:1::1', current: '2001:db8:0:1:aaaa::2' })
})

test('IPv4 is shown while it is alive, then what is', () => {
  const { exits } = live(['112.161.54.7', '2001:db8::1'])
  expect(shownExit(exits, T0 + 2 * MINUTE)?.ip).toBe('112.161.54.7')
  expect(shownExit(exits, T0 + 10 * MINUTE)?.ip).toBe('2001:db8::1')
  expect(shownExit(noExits, T0)).toBeNull()
})

test('an address is compared with those of its family only', () => {
  const { exits } = live(['112.161.54.7'])
  expect(compareExit(addressesOf(exits), '112.161.54.7')).toBe('same')
  expect(compareExit(addressesOf(exits), '112.161.54.8')).toBe('different')
  expect(compareExit(addressesOf(exits), '2001:db8::1')).toBe('unknown')
})
