import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Device, Status } from './device.ts'
import { type DeviceFilter, filterFromParams, filterToParams, matches, NO_FILTER } from './filter.ts'
import { statusOrder, summarize } from './summary.ts'

const device = (facts: Partial<Device>): Device => ({
  id: 'a',
  name: 'seoul-01',
  type: 'usb_modem',
  status: 'online',
  operator: 'LG U+',
  region: 'Сеул',
  exitIp: '112.161.54.7',
  exitIpSince: null,
  ipChanges: 0,
  rotations: { changed: 0, unchanged: 0, failed: 0 },
  lastRotation: null,
  ...facts,
})
const isShown = (filter: Partial<DeviceFilter>, facts: Partial<Device> = {}): boolean =>
  matches({ ...NO_FILTER, ...filter }, () => 'USB modem')(device(facts))

describe('the filter', () => {
  it.each([[''], ['  '], ['seoul'], ['SEOUL-01'], ['u+ сеул'], ['usb'], ['161.54'], ['modem seoul lg']])(
    'searching %j finds the device',
    (search) => {
      expect(isShown({ search })).toBe(true)
    },
  )

  it.each([['busan'], ['seoul busan'], ['.*'], ['seoul-01x'], ['01 lg x']])('searching %j does not', (search) => {
    expect(isShown({ search })).toBe(false)
  })

  it('finds a device that has no operator, region or address by its name, and not by "null"', () => {
    const bare = { operator: null, region: null, exitIp: null }
    expect(isShown({ search: 'seoul' }, bare)).toBe(true)
    expect(isShown({ search: 'null' }, bare)).toBe(false)
  })

  it('shows devices of any of the statuses, of all when none is chosen', () => {
    expect(isShown({ statuses: ['offline', 'online'] })).toBe(true)
    expect(isShown({ statuses: ['offline'] })).toBe(false)
    expect(isShown({ statuses: [] })).toBe(true)
  })

  it('comes back from the address as it went in', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 30 }), fc.subarray([...statusOrder]), (search, statuses) => {
        expect(filterFromParams(new URLSearchParams(filterToParams({ search, statuses }).toString()))).toEqual({ search, statuses })
      }),
    )
  })

  it('takes from an address what it knows', () => {
    expect(filterFromParams(new URLSearchParams('status=pending,nonsense,online,&x=1'))).toEqual({
      search: '',
      statuses: ['online', 'pending'],
    })
    expect(filterFromParams(new URLSearchParams({ q: 'x'.repeat(1000) })).search).toHaveLength(200)
    expect(filterToParams(NO_FILTER).toString()).toBe('')
  })
})

describe('the fleet in one glance', () => {
  it.each<[Status[], string]>([
    [[], 'empty'],
    [['online'], 'well'],
    [['online', 'busy', 'rotating', 'maintenance', 'unknown'], 'well'],
    [['online', 'pending'], 'well'],
    [['pending', 'pending'], 'waiting'],
    [['online', 'offline'], 'silent'],
    [['pending', 'offline'], 'silent'],
  ])('%j is %s', (statuses, health) => {
    const summary = summarize(statuses.map((status) => device({ status })))
    expect(summary.health).toBe(health)
    expect(summary.total).toBe(statuses.length)
    for (const status of statusOrder) expect(summary.byStatus[status]).toBe(statuses.filter((other) => other === status).length)
  })
})
