import { describe, expect, test } from 'vitest'
import { simulatorKnobs } from './knobs.ts'
import { addressOf, freshModem, isOnline, type ModemState, switchOff, switchOn } from './modem.ts'
import { seededRandom } from './random.ts'

const knobsOf = (knobs: Record<string, unknown> = {}) => simulatorKnobs.parse({ attachDelayMs: 100, ...knobs })
const half = () => 0.5

/** Off at 1000 for `holdMs`, then on. */
const cycle = (modem: ModemState, holdMs: number, knobs: ReturnType<typeof knobsOf>, random = half) =>
  switchOn(switchOff(modem, knobs, 1_000), knobs, 1_000 + holdMs, random)

describe('a simulated modem', () => {
  test('is offline while its radio is off and until it has attached', () => {
    const knobs = knobsOf()
    const off = switchOff(freshModem(0), knobs, 1_000)
    expect(isOnline(off, knobs, 100_000)).toBe(false)
    const on = switchOn(off, knobs, 2_000, half)
    expect([isOnline(on, knobs, 2_099), isOnline(on, knobs, 2_100)]).toEqual([false, true])
  })

  test.each([
    [299, '127.10.1.1'],
    [300, '127.10.1.2'],
  ])('held off for %i ms it has the address %s', (holdMs, address) => {
    const knobs = knobsOf({ changeAfterHoldMs: 300 })
    expect(addressOf(cycle(freshModem(0), holdMs, knobs), knobs)).toBe(address)
  })

  test('goes round its pool', () => {
    const knobs = knobsOf({ firstAddress: '127.10.3.250', poolSize: 3 })
    let modem = freshModem(0)
    const addresses: string[] = []
    for (let i = 0; i < 4; i += 1) {
      addresses.push(addressOf(modem, knobs))
      modem = cycle(modem, 500, knobs)
    }
    expect(addresses).toEqual(['127.10.3.250', '127.10.3.251', '127.10.3.252', '127.10.3.250'])
  })

  test('keeps its address at a sticky carrier', () => {
    const knobs = knobsOf({ repeatProbability: 1 })
    expect(cycle(freshModem(0), 60_000, knobs).address).toBe(0)
  })

  test('that is stuck comes back with the next cycle only', () => {
    const knobs = knobsOf({ stuckProbability: 0.5 })
    const stuck = cycle(freshModem(0), 500, knobs, () => 0.4)
    expect(isOnline(stuck, knobs, 1e9)).toBe(false)
    expect(
      isOnline(
        cycle(stuck, 500, knobs, () => 0.6),
        knobs,
        1e9,
      ),
    ).toBe(true)
  })

  test('that loses its session by itself gets a lasting one with the next cycle', () => {
    const knobs = knobsOf({ loseSessionAfterMs: 5_000 })
    const modem = freshModem(0)
    expect([isOnline(modem, knobs, 4_999), isOnline(modem, knobs, 5_000)]).toEqual([true, false])
    expect(isOnline(cycle(modem, 500, knobs), knobs, 1e9)).toBe(true)
  })

  test('that dials again by itself is never off and never changes', () => {
    const knobs = knobsOf({ autoReconnectDuringHold: true })
    const modem = switchOff(freshModem(0), knobs, 1_000)
    expect(modem.radio).toBe('on')
    expect([isOnline(modem, knobs, 1_050), isOnline(modem, knobs, 1_100)]).toEqual([false, true])
    expect(switchOn(modem, knobs, 60_000, half)).toMatchObject({ address: 0 })
  })

  test('is denied as often as the knob says', () => {
    const knobs = knobsOf({ denyRegistration: 2 })
    let modem = freshModem(0)
    const denied: boolean[] = []
    for (let i = 0; i < 3; i += 1) {
      modem = cycle(modem, 500, knobs)
      denied.push(modem.isDenied)
    }
    expect(denied).toEqual([true, true, false])
    expect(isOnline(modem, knobs, 10_000)).toBe(true)
  })

  test('switched twice the same way is as switched once', () => {
    const knobs = knobsOf()
    const off = switchOff(freshModem(0), knobs, 1_000)
    expect(switchOff(off, knobs, 2_000)).toBe(off)
    const on = switchOn(off, knobs, 3_000, half)
    expect(switchOn(on, knobs, 4_000, half)).toBe(on)
  })
})

test('the same seed gives the same numbers, from 0 to 1, another seed others', () => {
  const [one, same, other] = [seededRandom(7), seededRandom(7), seededRandom(8)]
  const numbers = Array.from({ length: 1_000 }, () => one())
  expect(numbers).toEqual(Array.from({ length: 1_000 }, () => same()))
  expect(numbers).not.toEqual(Array.from({ length: 1_000 }, () => other()))
  expect(numbers.every((number) => number >= 0 && number < 1)).toBe(true)
  const mean = numbers.reduce((sum, number) => sum + number, 0) / numbers.length
  expect(Math.abs(mean - 0.5)).toBeLessThan(0.05)
})

test.each([
  [{ poolSize: 0 }, 'poolSize'],
  [{ firstAddress: '10.0.0.1' }, 'firstAddress'],
  [{ firstAddress: '127.0.0.250', poolSize: 8 }, 'poolSize'],
  [{ repeatProbability: 2 }, 'repeatProbability'],
  [{ attachDelayMs: [200, 100] }, 'attachDelayMs'],
  [{ sabotage: 'everything' }, 'sabotage'],
  [{ changeAfterHold: 3 }, 'changeAfterHold'],
  [{ holdsMs: [] }, 'holdsMs'],
])('the knobs %j are refused, naming %s', (knobs, name) => {
  const parsed = simulatorKnobs.safeParse(knobs)
  expect(JSON.stringify(parsed.error?.issues)).toContain(name)
})
