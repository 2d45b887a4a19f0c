import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { T0 } from '../../../test/alert-samples.ts'
import { deviceMap, ruleSettings, vigil, watched } from '../../../test/alert-sights.ts'
import { crowdsOf } from './crowds.ts'
import type { WatchedDevice } from './subjects.ts'

const S = 1_000
const settings = ruleSettings('device_silent')

/** Silent for so many seconds; it is told after 300. */
const silent = (name: string, seconds: number, over: Partial<WatchedDevice> = {}): WatchedDevice =>
  watched(name, {
    lastHeartbeat: T0 - seconds * S,
    silentFrom: T0 - seconds * S,
    isSilent: seconds >= 80,
    vigil: vigil({ isUp: seconds < 80, silentSince: seconds >= 300 ? T0 - seconds * S : null }),
    ...over,
  })
const many = (count: number, of: (n: number) => WatchedDevice) => Array.from({ length: count }, (_, n) => of(n))
const mts = { operator: 'MTS', region: 'Moscow' }
const kt = { operator: 'KT', region: 'Seoul' }

/** The crowds in short: who, how many of how many. */
function crowds(devices: WatchedDevice[], over = settings): string[] {
  const news = devices.filter((device) => device.vigil?.silentSince !== null && !device.isExempt)
  return crowdsOf(deviceMap(...devices), news, over, T0).map(({ label, members, total }) => `${label} ${members.length}/${total}`)
}

describe('a crowd is', () => {
  test.each<[string, WatchedDevice[], string[]]>([
    [
      'five of one operator',
      [...many(5, (n) => silent(`m${n}`, 300 + n, mts)), ...many(5, (n) => silent(`k${n}`, 0, kt))],
      ['operator MTS 5/5'],
    ],
    ['not four', [...many(4, (n) => silent(`m${n}`, 300, mts)), ...many(4, (n) => silent(`k${n}`, 0, kt))], []],
    ['not less than 30 % of anything', [...many(5, (n) => silent(`m${n}`, 300, mts)), ...many(12, (n) => silent(`x${n}`, 0, mts))], []],
    ['30 % of it', [...many(6, (n) => silent(`m${n}`, 300, mts)), ...many(14, (n) => silent(`x${n}`, 0, mts))], ['operator MTS 6/20']],
    ['the whole fleet, where nothing else is known of its devices', many(5, (n) => silent(`d${n}`, 300)), ['the whole fleet 5/5']],
    [
      'one region, where its operators are many',
      [
        ...many(6, (n) => silent(`m${n}`, 300, { operator: `op${n}`, region: 'Moscow' })),
        ...many(6, (n) => silent(`k${n}`, 0, { operator: `op${n}` })),
      ],
      ['region Moscow 6/6'],
    ],
    [
      'two operators that fell silent at different times are two',
      [...many(5, (n) => silent(`m${n}`, 300, mts)), ...many(5, (n) => silent(`k${n}`, 400, kt)), ...many(5, (n) => silent(`x${n}`, 0))],
      ['operator MTS 5/5', 'operator KT 5/5'],
    ],
    ['not those that fell silent one after the other', many(6, (n) => silent(`m${n}`, 300 + n * 61, mts)), []],
  ])('%s', (_case, devices, expected) => {
    expect(crowds(devices)).toEqual(expected)
  })
})

describe('in a crowd', () => {
  const four = many(4, (n) => silent(`m${n}`, 300, mts))
  test.each<[string, WatchedDevice, string[]]>([
    ['counts one that will be silent for long within the window', silent('last', 241, mts), ['operator MTS 5/5']],
    ['one silent for less does not', silent('last', 239, mts), []],
    ['one in maintenance does not', silent('last', 300, { ...mts, isExempt: true }), []],
    ['one that rotates does not', silent('last', 300, { ...mts, isRotating: true }), []],
    ['one that was never heard does not', silent('last', 300, { ...mts, silentFrom: null }), []],
  ])('%s', (_case, last, expected) => {
    expect(crowds([...four, last])).toEqual(expected)
  })

  test('devices that are heard do not count, however short a silence is told', () => {
    const short = ruleSettings('device_silent', { threshold: 60, window: 60 })
    const devices = [silent('m0', 90, { ...mts, vigil: vigil({ silentSince: T0 }) }), ...many(5, (n) => silent(`x${n}`, 40, mts))]
    expect(crowds(devices, short)).toEqual([])
  })
})

test('nobody is in two crowds, and each has somebody new', () => {
  const device = fc.record({
    seconds: fc.integer({ min: 0, max: 600 }),
    operator: fc.constantFrom(null, 'MTS', 'KT'),
    region: fc.constantFrom(null, 'Moscow', 'Seoul'),
  })
  fc.assert(
    fc.property(fc.array(device, { maxLength: 60 }), (given) => {
      const devices = given.map(({ seconds, ...over }, n) => silent(`d${n}`, seconds, over))
      const news = devices.filter(({ vigil: one }) => one?.silentSince !== null)
      const found = crowdsOf(deviceMap(...devices), news, settings, T0)
      const members = found.flatMap((crowd) => crowd.members)
      expect(new Set(members).size).toBe(members.length)
      for (const crowd of found) {
        expect(crowd.members.length).toBeGreaterThanOrEqual(5)
        expect(crowd.members.some((one) => news.includes(one))).toBe(true)
        const since = crowd.members.map(({ silentFrom }) => silentFrom ?? 0)
        expect(Math.max(...since) - Math.min(...since)).toBeLessThanOrEqual(60 * S)
      }
    }),
    { numRuns: 200 },
  )
})
