import { expect, test } from 'vitest'
import { sampleAlert } from '../../../test/alert-samples.ts'
import { firingOf, noneFires, ruleSettings, verdicts } from '../../../test/alert-sights.ts'
import { UsedQuotas } from './used-quotas.ts'

const settings = ruleSettings('limits_exceeded')
const quota = { of: 'key', id: 'k1', name: 'parser', used: 100, limit: 100 } as const
const fires = firingOf(sampleAlert({ rule: 'limits_exceeded', subject: { kind: 'key', id: 'k1', name: 'key parser' } }))

test('a quota that is used up is told at once, whatever number of refusals the rule asks for', () => {
  const quotas = new UsedQuotas()
  quotas.see(quota)
  expect(quotas.findings(() => true, noneFires, ruleSettings('limits_exceeded', { threshold: 50 }))).toMatchObject([
    { verdict: 'bad', subject: { kind: 'key', id: 'k1', name: 'key parser' }, detail: expect.stringContaining('100 of 100'), value: 100 },
  ])
})

test('it stays so for as long as it is used up, after a restart too, and ends when it is free', () => {
  const quotas = new UsedQuotas()
  quotas.see(quota)
  const isUp = { key: true }
  const look = (given: UsedQuotas, alerts = fires) =>
    verdicts(given.findings((of, id) => of === 'key' && id === 'k1' && isUp.key, alerts, settings))
  expect([look(quotas), look(quotas), look(new UsedQuotas())]).toEqual([['bad key parser'], ['bad key parser'], []])
  isUp.key = false
  expect([look(quotas), look(quotas, noneFires), look(new UsedQuotas())]).toEqual([['good key parser'], [], ['good key parser']])
})

test('alerts about other limits are none of its', () => {
  const other = firingOf(sampleAlert({ rule: 'limits_exceeded', subject: { kind: 'hub', id: 'max_devices', name: 'MAX_DEVICES' } }))
  expect(new UsedQuotas().findings(() => false, other, settings)).toEqual([])
})
