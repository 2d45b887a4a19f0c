import { expect, test } from 'vitest'
import { matchesFilter } from './filter.ts'

const device = { operator: 'MTS', region: 'Moscow', type: 'android', tags: ['farm-1', 'fast'] }

test.each([
  [{}, true],
  [{ operator: ['mts'] }, true],
  [{ operator: ['Beeline', 'MTS'] }, true],
  [{ operator: ['Beeline'] }, false],
  [{ region: ['moscow'], type: ['android'] }, true],
  [{ region: ['moscow'], type: ['usb_modem'] }, false],
  [{ tags: ['FAST'] }, true],
  [{ tags: ['fast', 'slow'] }, false],
  [{ tags: [] }, true],
])('%j matches: %s', (filter, expected) => {
  expect(matchesFilter(device, filter)).toBe(expected)
})

test('what is not known of a device matches nothing that is asked for', () => {
  expect(matchesFilter({ ...device, operator: null }, { operator: ['MTS'] })).toBe(false)
})
