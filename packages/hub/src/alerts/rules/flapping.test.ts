import { expect, test } from 'vitest'
import { T0 } from '../../../test/alert-samples.ts'
import { deviceMap, firingOf, noneFires, ruleSettings, verdicts, vigil, watched } from '../../../test/alert-sights.ts'
import type { Vigil } from '../../fleet/vigil.ts'
import { flappingFindings } from './flapping.ts'

const settings = ruleSettings('flapping')
const flips = Array.from({ length: 6 }, (_, n) => T0 - n)
const flapping = vigil({ flappingSince: T0, flips })

test.each<[string, { vigil: Vigil | null; isExempt?: boolean }, { fires: string[]; none: string[] }]>([
  ['that flaps', { vigil: flapping }, { fires: ['bad moscow-07'], none: ['bad moscow-07'] }],
  ['that is steady', { vigil: vigil() }, { fires: ['good moscow-07'], none: [] }],
  ['that was not looked at since the start', { vigil: null }, { fires: [], none: [] }],
  ['in maintenance', { vigil: null, isExempt: true }, { fires: ['over moscow-07'], none: [] }],
])('of a device %s', (_case, device, { fires, none }) => {
  const devices = deviceMap(watched('moscow-07', device))
  expect(verdicts(flappingFindings(devices, firingOf('moscow-07'), settings))).toEqual(fires)
  expect(verdicts(flappingFindings(devices, noneFires, settings))).toEqual(none)
})

test('the text says how often, and how it stands when it is over', () => {
  const of = (one: Vigil, fires = noneFires) => flappingFindings(deviceMap(watched('moscow-07', { vigil: one })), fires, settings)
  expect(of(flapping)).toMatchObject([
    { title: 'moscow-07 comes and goes', detail: expect.stringContaining('6 changes'), value: 6, since: T0, severity: 'warning' },
  ])
  expect(of(vigil({ isUp: false }), firingOf('moscow-07'))).toMatchObject([{ title: 'moscow-07 is steady: offline' }])
  expect(of(vigil(), firingOf('moscow-07'))).toMatchObject([{ title: 'moscow-07 is steady: online' }])
  expect(flappingFindings(deviceMap(), firingOf('gone'), settings)).toMatchObject([{ verdict: 'over', title: 'gone was removed' }])
})
