import { describe, expect, test } from 'vitest'
import { sampleAlert, T0 } from '../../../test/alert-samples.ts'
import { deviceMap, firingOf, noneFires, ruleSettings, verdicts, vigil, watched } from '../../../test/alert-sights.ts'
import { silenceFindings } from './silence.ts'
import type { WatchedDevice } from './subjects.ts'

const MIN = 60_000
const settings = ruleSettings('device_silent')
const since = T0 - 5 * MIN
const silentNow: Partial<WatchedDevice> = { lastHeartbeat: since, silentFrom: since, isSilent: true }
const silent = (name: string, over: Partial<WatchedDevice> = {}) =>
  watched(name, { ...silentNow, vigil: vigil({ isUp: false, silentSince: since }), ...over })
/** Past its time-out, but not for long enough to be told. */
const late = (name: string) => watched(name, { ...silentNow, vigil: vigil({ isUp: false }) })
const recovering = (name: string) => watched(name, { vigil: vigil({ upSince: T0 - MIN, silentSince: since }) })
const back = (name: string) => watched(name, { vigil: vigil({ upSince: T0 - 2 * MIN }) })

const find = (devices: WatchedDevice[], fires = noneFires) => silenceFindings(deviceMap(...devices), fires, settings, T0)

describe('one device', () => {
  test.each<[string, WatchedDevice, { fires: string[]; none: string[] }]>([
    ['that is heard', watched('seoul-01'), { fires: ['good seoul-01'], none: [] }],
    ['that is late', late('seoul-01'), { fires: ['good seoul-01'], none: [] }],
    ['that is silent for long', silent('seoul-01'), { fires: ['bad seoul-01'], none: ['bad seoul-01'] }],
    ['that was heard a moment ago', recovering('seoul-01'), { fires: ['bad seoul-01'], none: ['bad seoul-01'] }],
    ['that is back', back('seoul-01'), { fires: ['good seoul-01'], none: [] }],
    ['in maintenance', silent('seoul-01', { isExempt: true, vigil: null }), { fires: ['over seoul-01'], none: [] }],
    ['that was not looked at since the start', watched('seoul-01', { vigil: null }), { fires: [], none: [] }],
  ])('%s', (_case, device, { fires, none }) => {
    expect(verdicts(find([device], firingOf('seoul-01')))).toEqual(fires)
    expect(verdicts(find([device]))).toEqual(none)
  })

  test('is told with where it is and when it was heard last; its recovery began when it was heard again', () => {
    expect(find([silent('seoul-01', { operator: 'KT', region: 'Seoul' })])).toMatchObject([
      {
        title: 'seoul-01 is silent',
        detail: 'Not heard for 5 min; last heard 2026-11-23 02:55 UTC (KT, Seoul).',
        value: 300,
        since,
        severity: 'critical',
      },
    ])
    expect(find([back('seoul-01')], firingOf('seoul-01'))).toMatchObject([{ title: 'seoul-01 is heard again', since: T0 - 2 * MIN }])
    expect(find([], firingOf('gone'))).toMatchObject([{ verdict: 'over', title: 'gone was removed' }])
  })
})

describe('many that fall silent together', () => {
  const names = ['d0', 'd1', 'd2', 'd3', 'd4', 'd5', 'd6', 'd7', 'd8', 'd9']
  const mts = { operator: 'MTS' }
  const others = ['k0', 'k1', 'k2'].map((name) => watched(name))
  const group = firingOf(
    sampleAlert({
      subject: { kind: 'group', id: 'operator:MTS', name: 'operator MTS' },
      members: names.map((name) => ({ id: name, name })),
    }),
  )
  const all = (of: (name: string) => WatchedDevice) => names.map((name) => ({ ...of(name), ...mts }))

  test('are one alert, with those whose silence is not long yet', () => {
    const later = { lastHeartbeat: since + 30_000, silentFrom: since + 30_000 }
    const devices = [...all((name) => silent(name)).slice(0, 6), ...all((name) => ({ ...late(name), ...later })).slice(6), ...others]
    expect(find(devices)).toMatchObject([
      {
        subject: { kind: 'group', id: 'operator:MTS', name: 'operator MTS' },
        title: '10 of 10 devices fell silent together: operator MTS',
        value: 10,
        since,
        members: names.map((name) => ({ id: name, name })),
      },
    ])
  })

  test('are told neither again nor one by one while the group is told, nor is it over while they are only late', () => {
    expect(verdicts(find([...all((name) => silent(name)), ...others], group))).toEqual(['bad operator MTS'])
    expect(verdicts(find([...all(late), ...others], group))).toEqual(['bad operator MTS'])
  })

  test('one that falls silent later is told by itself', () => {
    const devices = [...all((name) => silent(name)), ...others, silent('k3', { silentFrom: T0 - 400_000 })]
    expect(verdicts(find(devices, group))).toEqual(['bad k3', 'bad operator MTS'])
  })

  test.each([
    [5, ['bad operator MTS']],
    [2, ['good operator MTS']],
    [0, ['good operator MTS']],
  ])('with %i of ten still away', (left, expected) => {
    const devices = all((name) => (names.indexOf(name) < left ? silent(name) : back(name)))
    expect(verdicts(find(devices, group))).toEqual(expected)
  })

  test('the recovery names those still away, who are told by themselves afterwards', () => {
    const devices = all((name) => (names.indexOf(name) < 2 ? silent(name) : back(name)))
    expect(find(devices, group)).toMatchObject([
      {
        verdict: 'good',
        title: 'operator MTS: 8 of 10 devices are heard again',
        detail: 'Still silent: d0, d1.',
        since: T0 - 2 * MIN,
      },
    ])
    expect(verdicts(find(devices))).toEqual(['bad d0', 'bad d1'])
  })

  test('all put into maintenance or removed: over', () => {
    expect(
      verdicts(
        find(
          all((name) => silent(name, { isExempt: true, vigil: null })),
          group,
        ),
      ),
    ).toEqual(['over operator MTS'])
    expect(verdicts(find([], group))).toEqual(['over operator MTS'])
  })
})
