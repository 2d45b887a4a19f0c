import { expect, test } from 'vitest'
import { sampleAlert, T0 } from '../../../test/alert-samples.ts'
import { firingOf, noneFires, ruleSettings, verdicts } from '../../../test/alert-sights.ts'
import { RefusedLimits } from './refused-limits.ts'

const MIN = 60_000
const settings = ruleSettings('limits_exceeded')
const subject = { kind: 'hub', id: 'max_devices', name: 'MAX_DEVICES' } as const
const fires = firingOf(sampleAlert({ rule: 'limits_exceeded', subject }))
const refusedAt = (...minutes: number[]): RefusedLimits => {
  const limits = new RefusedLimits()
  for (const minute of minutes) limits.see({ subject, detail: 'the fleet is full', at: T0 + minute * MIN })
  return limits
}

test('a refusal is told with how often and why, until there was none for the whole window', () => {
  const limits = refusedAt(0, 1)
  expect(limits.findings(noneFires, settings, T0 + MIN)).toMatchObject([
    { verdict: 'bad', subject, detail: '2 times within 10 min: the fleet is full', value: 2 },
  ])
  expect(verdicts(limits.findings(fires, settings, T0 + 11 * MIN))).toEqual(['bad MAX_DEVICES'])
  expect(verdicts(limits.findings(fires, settings, T0 + 11 * MIN + 1))).toEqual(['good MAX_DEVICES'])
  expect(limits.findings(noneFires, settings, T0 + 11 * MIN + 1)).toEqual([])
})

test('with a threshold, so many refusals within the window are it', () => {
  const three = ruleSettings('limits_exceeded', { threshold: 3 })
  expect(refusedAt(0, 1).findings(noneFires, three, T0 + MIN)).toEqual([])
  expect(verdicts(refusedAt(0, 1, 2).findings(noneFires, three, T0 + 2 * MIN))).toEqual(['bad MAX_DEVICES'])
  expect(refusedAt(0, 1, 12).findings(noneFires, three, T0 + 12 * MIN)).toEqual([])
})

test('alerts about quotas are none of its', () => {
  const quota = firingOf(sampleAlert({ rule: 'limits_exceeded', subject: { kind: 'user', id: 'u1', name: 'user anna' } }))
  expect(new RefusedLimits().findings(quota, settings, T0)).toEqual([])
})
