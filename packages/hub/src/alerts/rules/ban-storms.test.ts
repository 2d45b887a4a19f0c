import { describe, expect, test } from 'vitest'
import { sampleAlert, T0 } from '../../../test/alert-samples.ts'
import { firingOf, noneFires, ruleSettings, verdicts } from '../../../test/alert-sights.ts'
import { BanStorms } from './ban-storms.ts'

const MIN = 60_000
const ends = T0 + 60 * MIN
const ban = (site: string, exitIp: string, until = ends) => ({ site, exitIp, until })
const settings = ruleSettings('ban_storm')
const fires = firingOf(sampleAlert({ rule: 'ban_storm', subject: { kind: 'site', id: 'shop.example', name: 'shop.example' } }))

/** So many exit IPs banned by the shop at T0. */
function storm(count: number): BanStorms {
  const storms = new BanStorms()
  storms.see(
    Array.from({ length: count }, (_, n) => ban('shop.example', `127.0.1.${n}`)),
    T0,
  )
  return storms
}

describe('a storm is', () => {
  test.each([
    ['half of the exits and three of them', 3, 6, true],
    ['less than half of them', 3, 7, false],
    ['half of them, but two only', 2, 4, false],
    ['all of them and those that they had before', 9, 3, true],
    ['three, with no device at work any more', 3, 0, true],
  ])('%s: %i banned of %i', (_case, banned, exits, isStorm) => {
    expect(verdicts(storm(banned).findings(exits, noneFires, settings, T0))).toEqual(isStorm ? ['bad shop.example'] : [])
  })

  test('told with its share, which is at most all', () => {
    expect(storm(3).findings(6, noneFires, settings, T0)).toMatchObject([{ severity: 'critical', value: 50, subject: { kind: 'site' } }])
    expect(storm(9).findings(3, noneFires, settings, T0)).toMatchObject([{ value: 100 }])
  })
})

test('one address that is banned again and again is one', () => {
  const storms = new BanStorms()
  for (let n = 0; n < 5; n++) storms.see([ban('shop.example', '127.0.1.1')], T0 + n)
  expect(storms.findings(1, noneFires, settings, T0 + 5)).toEqual([])
})

test('each site has its own', () => {
  const storms = new BanStorms()
  storms.see([ban('a.example', '127.0.1.1'), ban('b.example', '127.0.1.2'), ban('c.example', '127.0.1.3')], T0)
  expect(storms.findings(3, noneFires, settings, T0)).toEqual([])
})

test('bans that were lifted, or are older than the window, count no longer; then it is over', () => {
  const storms = storm(3)
  expect(verdicts(storms.findings(3, fires, settings, T0 + 10 * MIN))).toEqual(['bad shop.example'])
  expect(verdicts(storms.findings(3, fires, settings, T0 + 10 * MIN + 1))).toEqual(['good shop.example'])
  expect(storms.findings(3, noneFires, settings, T0 + 10 * MIN + 1)).toEqual([])
  const lifted = storm(3)
  lifted.see([ban('shop.example', '127.0.1.1', T0 + 5)], T0 + 5)
  expect(verdicts(lifted.findings(3, fires, settings, T0 + 5))).toEqual(['good shop.example'])
})

test('an address that was banned anew is as old as its latest ban', () => {
  const storms = storm(3)
  // The first again, later: it must not hide behind itself that the others are too old.
  storms.see([ban('shop.example', '127.0.1.0')], T0 + 5 * MIN)
  expect(storms.findings(3, noneFires, settings, T0 + 11 * MIN)).toEqual([])
  storms.see([ban('shop.example', '127.0.1.1'), ban('shop.example', '127.0.1.2')], T0 + 12 * MIN)
  expect(verdicts(storms.findings(3, noneFires, settings, T0 + 12 * MIN))).toEqual(['bad shop.example'])
})
