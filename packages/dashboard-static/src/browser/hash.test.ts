import { describe, expect, it } from 'vitest'
import { readPlace, writePlace } from './hash.ts'

describe('the page’s place in its address', () => {
  it.each([
    ['', '/', ''],
    ['#', '/', ''],
    ['#/', '/', ''],
    ['#/devices', '/devices', ''],
    ['#/devices?q=a%20b&status=offline,busy', '/devices', 'q=a+b&status=offline%2Cbusy'],
    ['#/?q=what?', '/', 'q=what%3F'],
  ])('%s is read', (hash, path, params) => {
    const place = readPlace(hash)
    expect([place.path, place.params.toString()]).toEqual([path, params])
  })

  it('is written with the commas of a list', () => {
    expect(writePlace({ path: '/', params: new URLSearchParams({ status: 'offline,busy', q: 'a b' }) })).toBe(
      '#/?status=offline,busy&q=a+b',
    )
    expect(writePlace({ path: '/devices', params: new URLSearchParams() })).toBe('#/devices')
  })
})
