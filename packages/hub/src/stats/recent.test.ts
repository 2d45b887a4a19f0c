import { expect, test } from 'vitest'
import { RecentUsage } from './recent.ts'

const NOW = Date.parse('2026-11-23T04:00:00Z')
const attempt = (deviceId: string, ageSeconds: number, outcome = 'answered') => ({
  deviceId,
  site: 'shop.com',
  outcome,
  at: NOW - ageSeconds * 1_000,
})

test('rates are those of the window, by device and site, and late attempts are not now', () => {
  let now = NOW
  const recent = new RecentUsage(() => now)
  recent.add([attempt('seoul', 0), attempt('seoul', 10, 'banned'), attempt('omsk', 400, 'tunnel_timeout'), attempt('omsk', 4_000)])
  const { fleet, devices, sites } = recent.rates(300)
  expect(fleet).toEqual({ attempts: 2, succeeded: 1 })
  expect(Object.fromEntries(devices)).toEqual({ seoul: { attempts: 2, succeeded: 1 } })
  expect(sites.get('shop.com')).toEqual({ attempts: 2, succeeded: 1 })
  expect(recent.rates(600).fleet).toEqual({ attempts: 3, succeeded: 1 })
  expect(recent.rates(99_999).fleet.attempts).toBe(3)
  now += 3_700_000
  expect(recent.rates(3_600).fleet.attempts).toBe(0)
})
