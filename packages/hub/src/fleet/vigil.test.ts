import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { conditionOf, firstSight, type Sight, type Vigil, type VigilNews, type VigilSettings, vigilDefaults, watch } from './vigil.ts'

const S = 1_000
const MIN = 60 * S
const TIMEOUT = 80 * S
const nothing = { silentSince: null, flappingSince: null }

/** Looks once a second at a device that is heard at these times, as the hub does. */
function run(beats: readonly number[], untilMs: number, from: { vigil?: Vigil; firstBeat?: number; settings?: VigilSettings } = {}) {
  let last = from.firstBeat ?? 0
  let next = 0
  const told: [number, VigilNews][] = []
  let vigil: Vigil | null = from.vigil ?? null
  let sight: Sight = { isSilent: false, silentFrom: last, lastHeartbeat: last, now: 0 }
  for (let now = 0; now <= untilMs; now += S) {
    while ((beats[next] ?? Number.POSITIVE_INFINITY) <= now) last = beats[next++] ?? last
    sight = { isSilent: now - last >= TIMEOUT, silentFrom: last, lastHeartbeat: last, now }
    vigil ??= firstSight(sight, nothing)
    const seen = watch(vigil, sight, from.settings ?? vigilDefaults)
    vigil = seen.vigil
    for (const news of seen.news) told.push([now, news])
  }
  return { told, condition: conditionOf(vigil, sight, vigilDefaults), vigil }
}

const every = (stepMs: number, fromMs: number, toMs: number): number[] =>
  Array.from({ length: Math.max(0, Math.floor((toMs - fromMs) / stepMs) + 1) }, (_, n) => fromMs + n * stepMs)

describe('of a device', () => {
  test('that is heard each minute nothing is told', () => {
    expect(run(every(MIN, 0, 60 * MIN), 60 * MIN)).toMatchObject({ told: [], condition: 'steady' })
  })

  test('that misses a beat now and then nothing is told', () => {
    expect(run([MIN, 4 * MIN, 5 * MIN, 6 * MIN, 7 * MIN], 7 * MIN).told).toEqual([])
  })

  test('that falls silent it is told once, after five minutes, however long it lasts', () => {
    const { told, condition } = run([MIN], 300 * MIN)
    expect(told).toEqual([[6 * MIN, { type: 'silent', since: MIN }]])
    expect(condition).toBe('silent')
  })

  test('that comes back it is told when it has stayed for two minutes', () => {
    const back = 20 * MIN
    const { told } = run([MIN, ...every(MIN, back, 60 * MIN)], 60 * MIN)
    expect(told).toEqual([
      [6 * MIN, { type: 'silent', since: MIN }],
      [back + 2 * MIN, { type: 'back', silentSince: MIN }],
    ])
  })

  test('that only wakes up for one beat it is not told that it is back', () => {
    // A beat every 12 minutes is what Android's Doze makes of a minute (reference/hub.md 1.4).
    const { told } = run([MIN, 13 * MIN, 25 * MIN], 30 * MIN)
    expect(told).toEqual([[6 * MIN, { type: 'silent', since: MIN }]])
  })

  test('that was heard a moment ago after a told silence the condition is recovering', () => {
    expect(run([MIN, 20 * MIN], 20 * MIN + 30 * S).condition).toBe('recovering')
    expect(run([MIN], 3 * MIN).condition).toBe('late')
  })

  test('that comes and goes it is told once, then nothing until it is steady, then what holds', () => {
    // Heard for half a minute of every three.
    const naps = Array.from({ length: 20 }, (_, n) => [n * 3 * MIN, n * 3 * MIN + 30 * S]).flat()
    const steady = 60 * MIN
    const { told, condition } = run([...naps, ...every(MIN, steady, 120 * MIN)], 120 * MIN)
    expect(told.map(([, news]) => news)).toEqual([
      { type: 'flapping', phase: 'began', isUp: expect.any(Boolean) },
      { type: 'flapping', phase: 'ended', isUp: true },
    ])
    expect(told[0]?.[0]).toBeLessThan(12 * MIN)
    expect(told[1]?.[0]).toBe(steady + 30 * MIN)
    expect(condition).toBe('steady')
  })

  test('that stays away after flapping both are told', () => {
    const naps = Array.from({ length: 6 }, (_, n) => [n * 3 * MIN, n * 3 * MIN + 30 * S]).flat()
    const { told } = run(naps, 120 * MIN)
    expect(told.map(([, news]) => news.type)).toEqual(['flapping', 'flapping', 'silent'])
  })

  test('that a restarted hub had told to flap nothing is told until it is steady, then that it is', () => {
    const sight: Sight = { isSilent: false, silentFrom: 0, lastHeartbeat: 0, now: 0 }
    const vigil = firstSight(sight, { ...nothing, flappingSince: -MIN })
    expect(run(every(MIN, 0, 60 * MIN), 60 * MIN, { vigil }).told).toEqual([[30 * MIN, { type: 'flapping', phase: 'ended', isUp: true }]])
    expect(run([], 60 * MIN, { vigil }).told.map(([at, { type }]) => [at / S, type])).toEqual([
      [30 * 60 + 80, 'flapping'],
      [30 * 60 + 80, 'silent'],
    ])
  })

  test('that comes and goes each long silence is told where nobody wants to hear of flapping', () => {
    const settings = { ...vigilDefaults, flaps: Number.POSITIVE_INFINITY }
    const naps = Array.from({ length: 4 }, (_, n) => every(MIN, n * 15 * MIN, n * 15 * MIN + 4 * MIN)).flat()
    expect(run(naps, 60 * MIN, { settings }).told.map(([, news]) => news.type)).toEqual([
      'silent',
      'back',
      'silent',
      'back',
      'silent',
      'back',
      'silent',
    ])
    const flapping = { ...firstSight({ isSilent: false, silentFrom: 0, lastHeartbeat: 0, now: 0 }, { ...nothing, flappingSince: -MIN }) }
    expect(run(every(MIN, 0, 5 * MIN), 5 * MIN, { vigil: flapping, settings }).told).toEqual([
      [0, { type: 'flapping', phase: 'ended', isUp: true }],
    ])
  })

  test('that a restarted hub finds awake, whose silence was told before, it is told that it is back', () => {
    const sight: Sight = { isSilent: false, silentFrom: 0, lastHeartbeat: 0, now: 0 }
    const { told } = run(every(MIN, 0, 10 * MIN), 10 * MIN, { vigil: firstSight(sight, { ...nothing, silentSince: -MIN }) })
    expect(told).toEqual([[2 * MIN, { type: 'back', silentSince: -MIN }]])
  })

  test('that a restarted hub finds as silent as before nothing is told again', () => {
    const sight: Sight = { isSilent: true, silentFrom: -10 * MIN, lastHeartbeat: -10 * MIN, now: 0 }
    expect(run([], 60 * MIN, { vigil: firstSight(sight, { ...nothing, silentSince: -10 * MIN }), firstBeat: -10 * MIN }).told).toEqual([])
  })
})

test('a device that was never heard is never told silent', () => {
  const sight: Sight = { isSilent: true, silentFrom: null, lastHeartbeat: null, now: 0 }
  expect(watch(firstSight(sight, nothing), { ...sight, now: 100 * MIN }, vigilDefaults).news).toEqual([])
})

test('whatever a device does, silences and recoveries alternate, and so do the ends of flapping', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 15 * MIN }), { maxLength: 60 }), (pauses) => {
      let at = 0
      const beats = pauses.map((pause) => {
        at += pause
        return at
      })
      const { told, vigil } = run(beats, at + 90 * MIN)
      const outages = told.flatMap(([, { type }]) => (type === 'flapping' ? [] : [type]))
      expect(outages).toEqual(outages.map((_, index) => (index % 2 === 0 ? 'silent' : 'back')))
      const phases = told.flatMap(([, news]) => (news.type === 'flapping' ? [news.phase] : []))
      expect(phases).toEqual(phases.map((_, index) => (index % 2 === 0 ? 'began' : 'ended')))
      expect(vigil?.flips.length).toBeLessThanOrEqual(vigilDefaults.flaps)
    }),
    { numRuns: 30 },
  )
})
