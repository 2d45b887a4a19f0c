import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Rung } from '../drivers/driver.ts'
import { afterCure, cureName, curesOf, type Finding, nextStep, type Trouble } from './policy.ts'

const ladder: readonly Rung[] = [
  { method: 'device_reboot', holdMs: 0, onlineMs: 240_000, isOnRequest: true },
  { method: 'airplane_mode', holdMs: 5_000 },
  { method: 'modem_reset', holdMs: 0, isOnRequest: true },
  { method: 'airplane_mode', holdMs: 15_000 },
]
const cures = curesOf(ladder)
const minutes = (count: number): number => count * 60_000

/** What is done about a device that is found like this, looked at every 15 s; when, in s, and what. */
function course(found: Finding | ((at: number) => Finding), lastsMs: number, from: Trouble | null = null): string[] {
  const done: string[] = []
  let trouble = from
  for (let now = 0; now <= lastsMs; now += 15_000) {
    const { trouble: next, step } = nextStep(trouble, typeof found === 'string' ? found : found(now), cures, now)
    trouble = next
    if (step.do === 'nothing') continue
    done.push(`${now / 1_000} ${step.do === 'cure' ? cureName(step.cure) : step.do}`)
    if (step.do === 'cure' && trouble) trouble = afterCure(trouble, now)
  }
  return done
}

test('cures go from the mildest to the reboot', () => {
  expect(cures.map(cureName)).toEqual(['airplane_mode for 5 s', 'airplane_mode for 15 s', 'modem_reset', 'device_reboot'])
})

describe('a device', () => {
  test('that is online is left alone', () => {
    expect(course('online', minutes(60))).toEqual([])
  })

  test('that is offline is given a minute, then every cure in turn; after a round without success it rests, longer each time', () => {
    const round = (from: number) => [
      `${from} airplane_mode for 5 s`,
      `${from + 30} airplane_mode for 15 s`,
      `${from + 60} modem_reset`,
      `${from + 90} device_reboot`,
    ]
    expect(course('offline', minutes(50))).toEqual([...round(60), ...round(780), ...round(2_100)])
  })

  test('that was offline for less than a minute is left alone, again and again', () => {
    expect(course((at) => (at % minutes(1) === 0 ? 'online' : 'offline'), minutes(60))).toEqual([])
  })

  test('whose radio was left off is switched on at once', () => {
    expect(course((at) => (at === 0 ? 'off' : 'online'), minutes(5))).toEqual(['0 switch_on'])
  })

  test('that says it is online while nobody answers is never reset or rebooted: it may be the hub', () => {
    const done = course('silent', minutes(24 * 60))
    expect(done[0]).toBe('600 airplane_mode for 5 s')
    expect(new Set(done.map((line) => line.slice(line.indexOf(' ') + 1)))).toEqual(
      new Set(['airplane_mode for 5 s', 'airplane_mode for 15 s']),
    )
    expect(done.length).toBeLessThan(60)
  })

  test('that does not answer is rebooted after five minutes, and then once in a while', () => {
    expect(course('unreachable', minutes(30))).toEqual(['300 device_reboot', '930 device_reboot'])
  })

  test('whose power can be switched is rebooted first, and has its power cycled when that did not help', () => {
    const powered = curesOf([{ method: 'power_cycle', holdMs: 0, isOnRequest: true }, ...ladder])
    expect(powered.map(cureName).slice(-2)).toEqual(['device_reboot', 'power_cycle'])
    const first = nextStep({ since: 0, tried: [], rounds: 0, restUntil: 0 }, 'unreachable', powered, minutes(5))
    expect(first.step).toMatchObject({ do: 'cure', cure: { method: 'device_reboot' } })
    expect(nextStep(first.trouble, 'unreachable', powered, minutes(6)).step).toMatchObject({ do: 'cure', cure: { method: 'power_cycle' } })
  })

  test('without a SIM is not touched', () => {
    expect(course('helpless', minutes(600))).toEqual([])
  })

  test('that hangs after the mild cures is rebooted without waiting for another round', () => {
    expect(course((at) => (at < 120_000 ? 'offline' : 'unreachable'), minutes(6))).toEqual([
      '60 airplane_mode for 5 s',
      '90 airplane_mode for 15 s',
      '300 device_reboot',
    ])
  })

  test('that cannot do anything is not asked to', () => {
    expect(nextStep({ since: 0, tried: [], rounds: 0, restUntil: 0 }, 'offline', [], minutes(5)).step).toEqual({ do: 'nothing' })
  })
})

test('whatever happens, cures are never less than 30 s apart, and each is tried at most once a round', () => {
  const findings = fc.constantFrom<Finding>('online', 'off', 'offline', 'silent', 'unreachable', 'helpless')
  fc.assert(
    fc.property(fc.array(fc.tuple(findings, fc.integer({ min: 1, max: 40 })), { minLength: 1, maxLength: 40 }), (stretches) => {
      const looks = stretches.flatMap(([finding, count]) => Array.from({ length: count }, () => finding))
      const done = course((at) => looks[Math.min(looks.length - 1, at / 15_000)] ?? 'online', (looks.length - 1) * 15_000)
      const times = done.filter((line) => !line.endsWith('switch_on')).map((line) => Number(line.split(' ')[0]))
      for (const [index, at] of times.entries()) if (index > 0) expect(at - (times[index - 1] ?? 0)).toBeGreaterThanOrEqual(30)
    }),
  )
})
