import { expect, test } from 'vitest'
import { deviceMap, firingOf, noneFires, ruleSettings, verdicts, watched } from '../../../test/alert-sights.ts'
import { batteryFindings } from './batteries.ts'

const find = (battery: number | null, { fires = false, threshold = 20, isExempt = false } = {}) =>
  batteryFindings(
    deviceMap(watched('busan-03', { battery, isExempt })),
    fires ? firingOf('busan-03') : noneFires,
    ruleSettings('low_battery', { threshold }),
  )

test.each<[string, ReturnType<typeof find>, string[]]>([
  ['above the threshold nothing', find(21), []],
  ['at the threshold it is bad', find(20), ['bad busan-03']],
  ['empty it is bad', find(0), ['bad busan-03']],
  ['of a device that never said nothing', find(null), []],
  ['of one in maintenance nothing', find(5, { isExempt: true }), []],
  ['a little above the threshold the alert goes on', find(24, { fires: true }), []],
  ['five per cent above it is over', find(25, { fires: true }), ['good busan-03']],
  ['well, with no alert, nothing', find(25), []],
  ['with a threshold near full, full is enough', find(100, { fires: true, threshold: 98 }), ['good busan-03']],
  ['that falls again goes on as bad', find(20, { fires: true }), ['bad busan-03']],
  ['a device that says no more keeps its alert', find(null, { fires: true }), []],
  ['put into maintenance it is over', find(5, { fires: true, isExempt: true }), ['over busan-03']],
])('a battery: %s', (_case, findings, expected) => {
  expect(verdicts(findings)).toEqual(expected)
})

test('the text says how full it is; a device that was removed ends its alert', () => {
  expect(find(7)).toMatchObject([{ title: 'busan-03: battery at 7 %', value: 7, severity: 'warning' }])
  expect(batteryFindings(deviceMap(), firingOf('busan-03'), ruleSettings('low_battery'))).toMatchObject([
    { verdict: 'over', title: 'busan-03 was removed' },
  ])
})
