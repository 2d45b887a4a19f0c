import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Choices, readUserName } from './user-name.ts'

const nothing: Choices = {
  user: '',
  session: null,
  ttlMs: null,
  strict: false,
  rotate: false,
  country: null,
  operator: null,
  region: null,
  device: null,
  reportsItself: false,
  tags: [],
}

const right: [name: string, choices: Partial<Choices>][] = [
  ['', {}],
  ['anna', { user: 'anna' }],
  ['session', { user: 'session' }],
  ['anna-session-a', { user: 'anna', session: 'a' }],
  ['anna-SESSION-a', { user: 'anna', session: 'a' }],
  ['anna-session-account_42', { user: 'anna', session: 'account_42' }],
  ['anna-session-session', { user: 'anna', session: 'session' }],
  ['anna-session-a-ttl-30', { user: 'anna', session: 'a', ttlMs: 1_800_000 }],
  ['anna-session-a-ttl-90s', { user: 'anna', session: 'a', ttlMs: 90_000 }],
  ['anna-session-a-ttl-12h', { user: 'anna', session: 'a', ttlMs: 43_200_000 }],
  ['anna-session-a-strict', { user: 'anna', session: 'a', strict: true }],
  ['anna-strict-session-a', { user: 'anna', session: 'a', strict: true }],
  ['anna-session-a-strict-0', { user: 'anna', session: 'a' }],
  ['anna-session-a-rotate-1', { user: 'anna', session: 'a', rotate: true }],
  ['anna-country-kr', { user: 'anna', country: 'KR' }],
  ['anna-device-seoul-01', { user: 'anna', device: 'seoul-01' }],
  ['anna-device-seoul-01-session-a', { user: 'anna', device: 'seoul-01', session: 'a' }],
  ['anna-device-tag-tag-x', { user: 'anna', device: 'tag', tags: ['x'] }],
  ['anna-device-my%2Dsession%2D1', { user: 'anna', device: 'my-session-1' }],
  ['anna-operator-SK%20Telecom-region-Nizhny-Novgorod', { user: 'anna', operator: 'SK Telecom', region: 'Nizhny-Novgorod' }],
  ['anna-region-%D0%9C%D0%BE%D1%81%D0%BA%D0%B2%D0%B0', { user: 'anna', region: 'Москва' }],
  ['anna-tag-farm-1-tag-fast', { user: 'anna', tags: ['farm-1', 'fast'] }],
  ['anna,session-a,country-kr', { user: 'anna', session: 'a', country: 'KR' }],
  ['anna_session-a_lifetime-30m_country-kr', { user: 'anna', session: 'a', ttlMs: 1_800_000, country: 'KR' }],
  ['session-a,country-KR', { session: 'a', country: 'KR' }],
  // as vendors write it
  ['customer-anna-cc-US-city-london-sessid-abc-sesstime-10', { country: 'US', region: 'london', session: 'abc', ttlMs: 600_000 }],
  ['brd-customer-hl1-zone-mobile-country-us-session-abc', { user: 'brd', country: 'US', session: 'abc' }],
  ['package-17-country-us-sessionid-x-sessionlength-90', { country: 'US', session: 'x', ttlMs: 90_000 }],
  ['anna-session-abc-lifetime-30', { user: 'anna', session: 'abc', ttlMs: 1_800_000 }],
  ['anna-hardsession-abc', { user: 'anna', session: 'abc', strict: true }],
  ['anna-sid-x-rot-1', { user: 'anna', session: 'x', rotate: true }],
  ['groups-farm,session-y,country-US', { tags: ['farm'], session: 'y', country: 'US' }],
  ['device-0190c5d2-7a11-7000-8000-000000000001-reports-own', { device: '0190c5d2-7a11-7000-8000-000000000001', reportsItself: true }],
  ['anna-carrier-MTS', { user: 'anna', operator: 'MTS' }],
  ['anna-isp-MTS', { user: 'anna', operator: 'MTS' }],
]

const wrong: [name: string, said: string][] = [
  ['anna-sesion-abc', '"sesion" in the user name is no choice'],
  ['anna-session-abc-contry-US', '"contry" in the user name is no choice'],
  ['anna-session', '"session" in the user name needs 1 to 50'],
  ['anna-session-', '"session" in the user name needs 1 to 50'],
  ['anna-session-a%2Fb', 'not "a%2Fb"'],
  [`anna-session-${'x'.repeat(51)}`, 'needs 1 to 50'],
  ['anna-session-a-session-b', 'says "session" twice'],
  ['anna-sid-a-session-b', 'says "session" twice'],
  ['anna-reports-none', '"reports" in the user name needs "own", not "none"'],
  ['anna-ttl-30', '"ttl" in the user name needs a session'],
  ['anna-strict', '"strict" in the user name needs a session'],
  ['anna-rotate-1', '"rotate" in the user name needs a session'],
  ['anna-session-a-ttl-soon', '"ttl" in the user name needs a time from 1s to 7d'],
  ['anna-session-a-ttl-0', 'needs a time'],
  ['anna-session-a-ttl-8d', 'needs a time'],
  ['anna-session-a-strict-2', '"2" in the user name is no choice'],
  ['anna-country-KOR', '"country" in the user name needs two letters'],
  ['anna-device-%ZZ', '"device" in the user name needs the name or id of a device, not "%ZZ"'],
  ['anna-tag-', '"tag" in the user name needs a tag'],
  ['anna--session-a', '"" in the user name is no choice'],
  ['x'.repeat(513), 'longer than 512'],
]

describe('a user name', () => {
  test.each(right)('%s', (name, choices) => {
    expect(readUserName(name)).toEqual({ choices: { ...nothing, ...choices } })
  })

  test.each(wrong)('%s is refused by name', (name, said) => {
    expect(readUserName(name)).toEqual({ problem: expect.stringContaining(said) })
  })

  test('gives back every choice that was written into it, in any order', () => {
    const label = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter((text) => !/[\p{Cc}\p{Cs}]/u.test(text))
    const written = (text: string): string => encodeURIComponent(text).replaceAll('-', '%2D').replaceAll('_', '%5F')
    fc.assert(
      fc.property(
        fc.record({
          session: fc.stringMatching(/^[A-Za-z0-9.~]{1,50}$/),
          minutes: fc.option(fc.integer({ min: 1, max: 10_000 }), { nil: null }),
          strict: fc.boolean(),
          operator: fc.option(label, { nil: null }),
          region: fc.option(label, { nil: null }),
          device: fc.option(label, { nil: null }),
          tags: fc.array(label, { maxLength: 3 }),
        }),
        fc.infiniteStream(fc.nat()),
        ({ session, minutes, strict, operator, region, device, tags }, order) => {
          const parts = [
            `session-${session}`,
            ...(minutes === null ? [] : [`ttl-${minutes}`]),
            ...(strict ? ['strict'] : []),
            ...Object.entries({ operator, region, device }).flatMap(([name, value]) =>
              value === null ? [] : [`${name}-${written(value)}`],
            ),
          ].map((text) => ({ text, rank: order.next().value }))
          const shuffled = parts.toSorted((a, b) => a.rank - b.rank).map(({ text }) => text)
          const name = ['anna', ...shuffled, ...tags.map((tag) => `tag-${written(tag)}`)].join('-')
          if (name.length > 512) return
          expect(readUserName(name)).toEqual({
            choices: {
              ...nothing,
              user: 'anna',
              session,
              ttlMs: minutes === null ? null : minutes * 60_000,
              strict,
              operator,
              region,
              device,
              tags,
            },
          })
        },
      ),
    )
  })

  test('is read or refused, whatever it is, and never thrown at', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 600 }), (name) => {
        const read = readUserName(name)
        if ('problem' in read) expect(read.problem).toMatch(/^[\x20-\x7e]+$/)
      }),
    )
  })
})
