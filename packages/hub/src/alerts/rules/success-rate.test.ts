import { describe, expect, test } from 'vitest'
import { sampleAlert } from '../../../test/alert-samples.ts'
import { deviceMap, firingOf, noneFires, ruleSettings, verdicts, watched } from '../../../test/alert-sights.ts'
import { type Rates, successFindings } from './success-rate.ts'

const settings = ruleSettings('success_rate')
const devices = deviceMap(watched('seoul-01'), watched('omsk-05'), watched('kazan-02', { isExempt: true }))
const fleetFires = sampleAlert({ rule: 'success_rate', subject: { kind: 'fleet', id: 'fleet', name: 'the fleet' } })
type Counts = [succeeded: number, attempts: number]
const rates = (fleet: Counts, each: Record<string, Counts> = {}): Rates => ({
  fleet: { succeeded: fleet[0], attempts: fleet[1] },
  devices: new Map(Object.entries(each).map(([id, [succeeded, attempts]]) => [id, { succeeded, attempts }])),
})

describe('a rate', () => {
  test.each<[string, Rates, string[]]>([
    ['at the threshold is well', rates([85, 100]), []],
    ['a hair below is bad', rates([8_496, 10_000]), ['bad the fleet']],
    ['of too few attempts says nothing', rates([0, 19]), []],
    ['of just enough does', rates([0, 20]), ['bad the fleet']],
    ['of no attempts says nothing', rates([0, 0]), []],
    ['of one device is told by its name', rates([95, 100], { 'omsk-05': [5, 20], 'seoul-01': [90, 100] }), ['bad omsk-05']],
    ['of the fleet is told instead of its devices’', rates([10, 100], { 'omsk-05': [5, 50], 'seoul-01': [5, 50] }), ['bad the fleet']],
    ['of a device in maintenance is not told', rates([95, 100], { 'kazan-02': [0, 100] }), []],
    ['of a device that was removed is not told', rates([95, 100], { gone: [0, 100] }), []],
  ])('%s', (_case, given, expected) => {
    expect(verdicts(successFindings(given, devices, noneFires, settings))).toEqual(expected)
  })
})

describe('an alert', () => {
  test.each<[string, Rates, string[]]>([
    ['ends at the threshold', rates([85, 100], { 'omsk-05': [17, 20] }), ['good the fleet', 'good omsk-05']],
    ['goes on below it', rates([84, 100], { 'omsk-05': [16, 20] }), ['bad the fleet']],
    ['goes on while there is too little to judge by', rates([1, 19], { 'omsk-05': [1, 19] }), []],
    ['ends when there is no traffic any more', rates([0, 0]), ['good the fleet', 'good omsk-05']],
  ])('%s', (_case, given, expected) => {
    expect(verdicts(successFindings(given, devices, firingOf(fleetFires, 'omsk-05'), settings))).toEqual(expected)
  })

  test('about a device that went into maintenance, or was removed, is over', () => {
    const over = successFindings(rates([95, 100]), devices, firingOf('kazan-02', 'gone'), settings)
    expect(verdicts(over)).toEqual(['over kazan-02', 'over gone'])
  })
})

test('the text says how many of how many, rounded down, and the threshold', () => {
  expect(successFindings(rates([8_496, 10_000]), devices, noneFires, settings)).toMatchObject([
    {
      title: 'the fleet: success rate 84.9 %',
      detail: '8496 of 10000 attempts of the last 5 min were answered; the threshold is 85 %.',
      value: 84.9,
    },
  ])
})
