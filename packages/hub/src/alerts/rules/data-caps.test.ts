import { describe, expect, test } from 'vitest'
import { deviceMap, firingOf, noneFires, ruleSettings, verdicts, watched } from '../../../test/alert-sights.ts'
import { DataCaps, type DataUse } from './data-caps.ts'

const GB = 1e9
const devices = deviceMap(watched('seoul-01'), watched('omsk-05', { isExempt: true }))
const use = (used: number, cap = 10): DataUse => ({ usedBytes: used * GB, capBytes: cap * GB })
const plans = (uses: Record<string, DataUse>) => ({
  all: () => new Map(Object.entries(uses)),
  of: (id: string) => uses[id] ?? null,
})
const nothing = { all: () => new Map<string, DataUse>(), of: () => null }
const settings = ruleSettings('data_cap')

/** One that has had its look at all plans already. */
function atWork(): DataCaps {
  const caps = new DataCaps()
  caps.findings(nothing, devices, noneFires, settings)
  return caps
}

describe('a plan of which is used', () => {
  test.each<[string, DataUse, string[]]>([
    ['less than the threshold', use(7.99), []],
    ['the threshold’s share', use(8), ['bad seoul-01']],
    ['all', use(10), ['bad seoul-01']],
  ])('%s', (_case, given, expected) => {
    const caps = atWork()
    caps.see('seoul-01')
    expect(verdicts(caps.findings(plans({ 'seoul-01': given }), devices, noneFires, settings))).toEqual(expected)
  })
})

test('it is a warning at the threshold and critical when the plan is used up', () => {
  const caps = atWork()
  caps.see('seoul-01')
  expect(caps.findings(plans({ 'seoul-01': use(8.5) }), devices, noneFires, settings)).toMatchObject([
    { severity: 'warning', title: 'seoul-01: 85 % of its data plan is used', detail: '8.50 GB of 10.00 GB this month.', value: 85 },
  ])
  expect(caps.findings(plans({ 'seoul-01': use(12) }), devices, noneFires, settings)).toMatchObject([
    { severity: 'critical', title: 'seoul-01: its data plan is used up', value: 120 },
  ])
})

test('without an event nobody is looked at, but at the start and when the threshold is lowered', () => {
  const full = plans({ 'seoul-01': use(9) })
  const atStart = new DataCaps()
  expect(verdicts(atStart.findings(full, devices, noneFires, settings))).toEqual(['bad seoul-01'])
  const running = atWork()
  expect(running.findings(full, devices, noneFires, settings)).toEqual([])
  expect(running.findings(full, devices, noneFires, ruleSettings('data_cap', { threshold: 95 }))).toEqual([])
  expect(verdicts(running.findings(full, devices, noneFires, ruleSettings('data_cap', { threshold: 60 })))).toEqual(['bad seoul-01'])
})

describe('an alert', () => {
  test.each<[string, Record<string, DataUse>, string[]]>([
    ['goes on while the share is used', { 'seoul-01': use(8) }, ['bad seoul-01']],
    ['ends with the month, or when the plan grows', { 'seoul-01': use(8, 20) }, ['good seoul-01']],
    ['ends when the plan is taken away', {}, ['over seoul-01']],
  ])('%s', (_case, uses, expected) => {
    expect(verdicts(atWork().findings(plans(uses), devices, firingOf('seoul-01'), settings))).toEqual(expected)
  })

  test('of a removed device is over, of one in maintenance it stays as it is', () => {
    const caps = atWork()
    caps.see('omsk-05')
    const found = caps.findings(plans({ 'omsk-05': use(9) }), devices, firingOf('gone', 'omsk-05'), settings)
    expect(found).toMatchObject([{ verdict: 'over', title: 'gone was removed' }])
  })
})

test('a plan that passes the threshold again after it grew is told again', () => {
  const caps = atWork()
  caps.see('seoul-01')
  const look = (given: DataUse, fires: boolean) =>
    verdicts(caps.findings(plans({ 'seoul-01': given }), devices, fires ? firingOf('seoul-01') : noneFires, settings))
  expect([look(use(8), false), look(use(8, 20), true), look(use(15, 20), false)]).toEqual([['bad seoul-01'], ['good seoul-01'], []])
  caps.see('seoul-01')
  expect(look(use(16, 20), false)).toEqual(['bad seoul-01'])
})
