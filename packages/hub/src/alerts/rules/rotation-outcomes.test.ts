import { describe, expect, test } from 'vitest'
import { deviceMap, firingOf, noneFires, ruleSettings, watched } from '../../../test/alert-sights.ts'
import { rotationRecord } from '../../../test/records.ts'
import type { RotationRecord } from '../../store/index.ts'
import { RotationOutcomes, type RotationRules } from './rotation-outcomes.ts'
import type { Firing } from './subjects.ts'

const busan = { id: 'busan-03', name: 'busan-03' }
const devices = deviceMap(watched('busan-03'), watched('omsk-05', { isExempt: true }))
const rules: RotationRules = {
  rotation_failed: ruleSettings('rotation_failed'),
  same_ip: ruleSettings('same_ip'),
  egress_leak: ruleSettings('egress_leak'),
}
const firing = (over: Partial<Record<keyof RotationRules, Firing>> = {}) => ({
  rotation_failed: noneFires,
  same_ip: noneFires,
  egress_leak: noneFires,
  ...over,
})
const allFire = firing({ rotation_failed: firingOf('busan-03'), same_ip: firingOf('busan-03'), egress_leak: firingOf('busan-03') })

type End = Partial<RotationRecord>
const changed = (oldIp: string, newIp: string): End => ({ state: 'changed', oldIp, newIp })
const unchanged = (ip: string): End => ({ state: 'unchanged', oldIp: ip, newIp: ip })
const failed = (reason: RotationRecord['reason'], detail: string | null = null): End => ({ state: 'failed', reason, detail })

/** A device that rotated so, one after the other. */
function after(...ends: End[]): RotationOutcomes {
  const outcomes = new RotationOutcomes()
  outcomes.learn('busan-03', [])
  outcomes.see(rotationRecord(busan, ends[0]))
  outcomes.learn('busan-03', [rotationRecord(busan, ends[0])])
  for (const end of ends.slice(1)) outcomes.see(rotationRecord(busan, end))
  return outcomes
}

const found = (outcomes: RotationOutcomes, fires = firing(), how = rules) =>
  outcomes.findings(devices, fires, how).map(({ rule, verdict }) => `${verdict} ${rule}`)

describe('a device', () => {
  test.each<[string, End[], string[]]>([
    ['whose rotation brought a new IP is well', [changed('a', 'b')], []],
    ['whose rotation failed is told at once', [failed('no_registration')], ['bad rotation_failed']],
    ['whose traffic leaked is told as both', [failed('egress_leak')], ['bad rotation_failed', 'bad egress_leak']],
    ['that kept its IP twice is well', [unchanged('a'), unchanged('a')], []],
    ['that kept its IP three times has the same IP', [unchanged('a'), unchanged('a'), unchanged('a')], ['bad same_ip']],
    [
      'that goes in a ring of known IPs, too',
      [changed('a', 'b'), changed('b', 'a'), changed('a', 'b'), changed('b', 'a')],
      ['bad same_ip'],
    ],
    [
      'a failure between them changes nothing of that',
      [unchanged('a'), unchanged('a'), failed('sim_missing'), unchanged('a')],
      ['bad same_ip'],
    ],
    ['a new IP between them does', [unchanged('a'), unchanged('a'), changed('a', 'b'), unchanged('b')], []],
    ['whose rotation was canceled, or was too soon, made no attempt', [failed('canceled'), failed('too_soon'), failed('busy')], []],
    ['whose rotation runs is not judged', [{ state: 'rotating' }], []],
  ])('%s', (_case, ends, expected) => {
    expect(found(after(...ends))).toEqual(expected)
  })

  test('had an IP long ago: after ten others it counts as new', () => {
    const ring = (size: number) => Array.from({ length: 3 * size }, (_, n) => changed(`ip-${n % size}`, `ip-${(n + 1) % size}`))
    expect(found(after(...ring(10)))).toEqual(['bad same_ip'])
    expect(found(after(...ring(12)))).toEqual([])
  })

  test('in maintenance is not told', () => {
    const outcomes = new RotationOutcomes()
    outcomes.learn('omsk-05', [rotationRecord({ id: 'omsk-05', name: 'omsk-05' }, failed('sim_missing'))])
    expect(found(outcomes)).toEqual([])
  })
})

test('the text says how often, and why', () => {
  const texts = (outcomes: RotationOutcomes) =>
    outcomes.findings(devices, firing(), rules).map(({ title, detail }) => `${title}. ${detail}`)
  expect(texts(after(failed('no_registration', 'searching')))).toEqual([
    'busan-03: the rotation failed. The latest rotation failed (no_registration: searching).',
  ])
  expect(texts(after(failed('sim_missing'), failed('sim_missing')))).toEqual([
    'busan-03: the rotation failed. 2 rotations in a row failed (sim_missing).',
  ])
  expect(texts(after(unchanged('a'), unchanged('a'), unchanged('a')))).toEqual([
    'busan-03: the same IP again and again. 3 rotations in a row brought no new address; it is at a.',
  ])
})

describe('alerts', () => {
  test.each<[string, End[], string[]]>([
    ['end with a new IP', [failed('egress_leak'), changed('a', 'b')], ['good rotation_failed', 'good same_ip', 'good egress_leak']],
    [
      'of failures end with any IP, of the same IP they do not',
      [unchanged('a'), unchanged('a'), unchanged('a')],
      ['good rotation_failed', 'bad same_ip', 'good egress_leak'],
    ],
    [
      'of a leak go on while rotations fail for another reason: that proves nothing',
      [failed('egress_leak'), failed('sim_missing')],
      ['bad rotation_failed', 'good same_ip', 'bad egress_leak'],
    ],
  ])('%s', (_case, ends, expected) => {
    expect(found(after(...ends), allFire)).toEqual(expected)
  })

  test('end where the rule asks for more now, and begin where it asks for less', () => {
    const outcomes = after(unchanged('a'), unchanged('a'), unchanged('a'))
    const asking = (threshold: number) => ({ ...rules, same_ip: ruleSettings('same_ip', { threshold }) })
    const fires = firing({ same_ip: firingOf('busan-03') })
    expect(outcomes.findings(devices, fires, asking(5))).toMatchObject([
      { rule: 'same_ip', verdict: 'good', detail: 'For 5 rotations in a row; there were 3.' },
    ])
    expect(found(outcomes, firing(), asking(4))).toEqual([])
    expect(found(outcomes, firing(), asking(2))).toEqual(['bad same_ip'])
  })

  test('of a device that was removed, or went into maintenance, are over', () => {
    const fires = firing({ same_ip: firingOf('gone'), rotation_failed: firingOf('omsk-05') })
    expect(found(new RotationOutcomes(), fires)).toEqual(['over rotation_failed', 'over same_ip'])
  })
})

describe('after a restart of the hub', () => {
  const earlier = [unchanged('a'), unchanged('a')].map((end) => rotationRecord(busan, end))

  test('the first rotation of a device asks for those before, which count', () => {
    const outcomes = new RotationOutcomes()
    const third = rotationRecord(busan, unchanged('a'))
    outcomes.see(third)
    expect([...outcomes.unknown]).toEqual(['busan-03'])
    expect(found(outcomes)).toEqual([])
    outcomes.learn('busan-03', [third, ...earlier])
    expect([...outcomes.unknown]).toEqual([])
    expect(found(outcomes)).toEqual(['bad same_ip'])
  })

  test('a device about which an alert fires is asked for at once', () => {
    const outcomes = new RotationOutcomes()
    outcomes.ask('busan-03')
    expect([...outcomes.unknown]).toEqual(['busan-03'])
    outcomes.learn('busan-03', [rotationRecord(busan, changed('a', 'b')), ...earlier])
    expect(found(outcomes, firing({ same_ip: firingOf('busan-03') }))).toEqual(['good same_ip'])
    outcomes.ask('busan-03')
    expect([...outcomes.unknown]).toEqual([])
  })

  test('a device that was removed meanwhile is not asked for', () => {
    const outcomes = new RotationOutcomes()
    outcomes.ask('busan-03')
    outcomes.forget('busan-03')
    expect([...outcomes.unknown]).toEqual([])
  })
})
