import { expect, test } from 'vitest'
import { T0 } from '../../../test/alert-samples.ts'
import { ruleSettings } from '../../../test/alert-sights.ts'
import { IpChanges } from './ip-changes.ts'

const change = (name: string, oldIp: string | null, newIp: string) => ({ id: name, name, oldIp, newIp, at: T0 })
const on = ruleSettings('ip_changed', { enabled: true })

test('each change is told once, with both addresses; a first address is none', () => {
  const changes = new IpChanges()
  changes.see(change('seoul-01', null, '127.1.0.1'))
  changes.see(change('busan-03', '127.3.0.1', '127.3.0.2'))
  expect(changes.take(on)).toMatchObject([
    {
      rule: 'ip_changed',
      verdict: 'bad',
      severity: 'info',
      subject: { kind: 'device', id: 'busan-03', name: 'busan-03' },
      title: 'busan-03 is at 127.3.0.2 now',
      detail: 'It was at 127.3.0.1 until 2026-11-23 03:00 UTC.',
      since: T0,
    },
  ])
  expect(changes.take(on)).toEqual([])
})

test('while the rule is off, as it is at first, nothing is collected for later', () => {
  const changes = new IpChanges()
  changes.see(change('busan-03', '127.3.0.1', '127.3.0.2'))
  expect(changes.take(ruleSettings('ip_changed'))).toEqual([])
  expect(changes.take(on)).toEqual([])
})

test('of a fleet that rotates as one, a hundred changes are told between two looks', () => {
  const changes = new IpChanges()
  for (let n = 0; n < 150; n++) changes.see(change(`d${n}`, '127.0.0.1', `127.0.1.${n}`))
  expect(changes.take(on)).toHaveLength(100)
  changes.see(change('d1', '127.0.0.1', '127.0.2.1'))
  expect(changes.take(on)).toHaveLength(1)
})
