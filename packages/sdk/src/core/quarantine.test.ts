import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ExitMemory, Quarantine, type QuarantineNews } from './quarantine.ts'

const MINUTE = 60_000
const make = (inUse?: () => ReadonlySet<ExitMemory>) => {
  const quarantine = new Quarantine({ quarantineMs: 10 * MINUTE }, inUse)
  const news: QuarantineNews[] = []
  quarantine.subscribe((one) => news.push(one))
  return { quarantine, exit: quarantine.exit('112.161.54.7', 0), news }
}

test('a ban nobody has confirmed lasts a sixtieth, then a tenth, then all of it', () => {
  const { quarantine, exit } = make()
  expect(quarantine.ban(exit, 'shop.com', undefined, 0).until).toBe(10_000)
  expect(quarantine.ban(exit, 'shop.com', undefined, 10_000).until).toBe(10_000 + MINUTE)
  expect(quarantine.ban(exit, 'shop.com', undefined, 70_000).until).toBe(70_000 + 10 * MINUTE)
  expect(exit.strikes).toBe(3)
})

test('a confirmed ban lasts all of it at once, at this site only', () => {
  const { quarantine, exit } = make()
  quarantine.ban(exit, 'shop.com', undefined, 0)
  expect(quarantine.confirm(exit, 'shop.com', 5)).toBe(5 + 10 * MINUTE)
  expect(exit.quarantinedUntil('shop.com', 10 * MINUTE)).toBeGreaterThan(0)
  expect(exit.quarantinedUntil('shop.com', 5 + 10 * MINUTE)).toBe(0)
  expect(exit.quarantinedUntil('other.com', 6)).toBe(0)
})

test('Retry-After is taken at its word, up to a day', () => {
  const { quarantine, exit } = make()
  expect(quarantine.ban(exit, 'a.com', 2_000, 0).until).toBe(2_000)
  expect(quarantine.ban(exit, 'b.com', 10 * 365 * 86_400_000, 0).until).toBe(86_400_000)
})

test('a shorter ban does not cut a longer one', () => {
  const { quarantine, exit } = make()
  quarantine.ban(exit, 'a.com', 100_000, 0)
  expect(quarantine.ban(exit, 'a.com', 1_000, 0).until).toBe(100_000)
})

test('a proper answer ends the count of strikes, but one that was under way does not lift the ban', () => {
  const { quarantine, exit } = make()
  quarantine.ban(exit, 'a.com', undefined, 0)
  quarantine.clear(exit, 'a.com', 1)
  expect(exit.quarantinedUntil('a.com', 1)).toBe(10_000)
  quarantine.clear(exit, 'a.com', 10_000)
  expect(exit.strikes).toBe(0)
  expect(quarantine.ban(exit, 'a.com', undefined, 10_000).until).toBe(20_000)
})

test('an unknown exit IP is the same as no other, and nobody is told of it', () => {
  const { quarantine, news } = make()
  const unknown = quarantine.exit(null, 0)
  expect(quarantine.exit(null, 0)).not.toBe(unknown)
  quarantine.ban(unknown, 'shop.com', undefined, 0)
  expect(unknown.quarantinedUntil('shop.com', 1)).toBe(10_000)
  expect(news).toEqual([])
  expect(quarantine.size).toBe(0)
})

describe('who listens', () => {
  test('is told of what this pool found out: set, confirmed, lifted', () => {
    const { quarantine, exit, news } = make()
    quarantine.ban(exit, 'shop.com', undefined, 0)
    quarantine.confirm(exit, 'shop.com', 5)
    expect(quarantine.lift(exit, 'shop.com', 9)).toBe(true)
    expect(quarantine.lift(exit, 'shop.com', 9)).toBe(false)
    const pair = { exitIp: '112.161.54.7', site: 'shop.com' }
    expect(news).toEqual([
      { ...pair, kind: 'set', until: 10_000, strikes: 1 },
      { ...pair, kind: 'confirmed', until: 5 + 10 * MINUTE, strikes: 1 },
      { ...pair, kind: 'lifted', until: 9, strikes: 0 },
    ])
  })

  test('is not told of what was learnt, nor after it stopped listening', () => {
    const { quarantine, exit, news } = make()
    quarantine.learn({ exitIp: '112.161.54.7', site: 'shop.com', until: MINUTE }, 0)
    quarantine.learnLifted({ exitIp: '112.161.54.7', site: 'shop.com' }, 0)
    const stop = quarantine.subscribe((one) => news.push(one))
    stop()
    expect(news).toEqual([])
    quarantine.ban(exit, 'shop.com', undefined, 0)
    expect(news).toHaveLength(1)
  })
})

describe('what others found out', () => {
  const pair = { exitIp: '112.161.54.7', site: 'shop.com' }

  test('holds here too, without being a strike of ours', () => {
    const { quarantine, exit } = make()
    expect(quarantine.learn({ ...pair, until: MINUTE }, 0)).toBe(true)
    expect(exit.quarantinedUntil('shop.com', 0)).toBe(MINUTE)
    expect(exit.strikes).toBe(0)
    expect(quarantine.learn({ exitIp: '112.161.54.8', site: 'shop.com', until: MINUTE }, 0)).toBe(true)
    expect(quarantine.exit('112.161.54.8', 0).quarantinedUntil('shop.com', 0)).toBe(MINUTE)
  })

  test('never shortens what is known, and what is over or no number changes nothing', () => {
    const { quarantine, exit } = make()
    quarantine.learn({ ...pair, until: MINUTE }, 0)
    for (const until of [MINUTE, 500, 0, -1, Number.NaN]) expect(quarantine.learn({ ...pair, until }, 600)).toBe(false)
    expect(exit.quarantinedUntil('shop.com', 600)).toBe(MINUTE)
    expect(quarantine.size).toBe(1)
  })

  test('is believed for a day at most', () => {
    const { quarantine, exit } = make()
    quarantine.learn({ ...pair, until: Number.POSITIVE_INFINITY }, 0)
    expect(exit.quarantinedUntil('shop.com', 0)).toBe(86_400_000)
  })

  test('may be that it is fine', () => {
    const { quarantine, exit } = make()
    quarantine.ban(exit, 'shop.com', undefined, 0)
    expect(quarantine.learnLifted(pair, 1)).toBe(true)
    expect(quarantine.learnLifted(pair, 1)).toBe(false)
    expect(quarantine.learnLifted({ ...pair, exitIp: '10.9.9.9' }, 1)).toBe(false)
    expect([exit.quarantinedUntil('shop.com', 1), exit.strikes]).toEqual([0, 0])
  })
})

describe('the memory is bounded', () => {
  test('in exits: those that a device holds outlive all others', () => {
    const held = new Set<ExitMemory>()
    const { quarantine, exit } = make(() => held)
    held.add(exit)
    quarantine.ban(exit, 'a.com', undefined, 0)
    for (let i = 0; i < 25_000; i++) quarantine.ban(quarantine.exit(`10.${i}`, i), 'a.com', 86_400_000, i)
    expect(quarantine.exit('112.161.54.7', 1)).toBe(exit)
    expect(quarantine.size).toBeGreaterThan(14_000)
    expect(quarantine.size).toBeLessThanOrEqual(20_000)
  })

  test('in sites of an exit: what is over goes first, then the oldest', () => {
    const { quarantine, exit } = make()
    quarantine.ban(exit, 'oldest.com', 1_000_000, 0)
    for (let i = 0; i < 999; i++) quarantine.ban(exit, `over-${i}.com`, 1, 0)
    quarantine.ban(exit, 'one-more.com', 1_000_000, 500)
    expect([...exit.sites.keys()]).toEqual(['oldest.com', 'one-more.com'])
    for (let i = 0; i < 5_000; i++) {
      quarantine.ban(exit, `live-${i}.com`, 1_000_000, 500)
      expect(exit.sites.size).toBeLessThanOrEqual(1_000)
    }
    expect(exit.sites.has('oldest.com')).toBe(false)
    expect(exit.sites.has('live-4999.com')).toBe(true)
    expect(quarantine.size).toBe(exit.sites.size)
  })

  test('in pairs: those of exits that no device holds go first', () => {
    const held = new Set<ExitMemory>()
    const { quarantine, exit } = make(() => held)
    held.add(exit)
    quarantine.ban(exit, 'a.com', 86_400_000, 0)
    for (let e = 0; e < 300; e++) {
      for (let s = 0; s < 900; s++) quarantine.learn({ exitIp: `10.0.${e}`, site: `${s}.com`, until: 80_000_000 }, e)
      expect(quarantine.size).toBeLessThanOrEqual(200_000)
    }
    expect(exit.quarantinedUntil('a.com', 300)).toBe(86_400_000)
    expect(quarantine.exit('10.0.299', 300).sites.size).toBe(900)
  })

  test('whatever happens, the count of pairs is right and no quarantine ends early', () => {
    const what = fc.constantFrom('ban', 'confirm', 'clear', 'lift', 'learn', 'learnLifted')
    const step = fc.tuple(what, fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 20_000 }))
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { quarantine } = make()
        const ends = new Map<string, number>()
        let now = 0
        for (const [kind, e, s, passed] of steps) {
          now += passed
          const [exitIp, site] = [`10.0.0.${e}`, `${s}.com`]
          const exit = quarantine.exit(exitIp, now)
          const key = `${exitIp} ${site}`
          if (kind === 'ban') ends.set(key, quarantine.ban(exit, site, undefined, now).until)
          if (kind === 'confirm') ends.set(key, quarantine.confirm(exit, site, now))
          if (kind === 'clear') quarantine.clear(exit, site, now)
          if (kind === 'lift' && quarantine.lift(exit, site, now)) ends.delete(key)
          if (kind === 'learn' && quarantine.learn({ exitIp, site, until: now + 5_000 }, now)) ends.set(key, now + 5_000)
          if (kind === 'learnLifted' && quarantine.learnLifted({ exitIp, site }, now)) ends.delete(key)
        }
        let pairs = 0
        for (let e = 0; e < 5; e++) {
          const exit = quarantine.exit(`10.0.0.${e}`, now)
          pairs += exit.sites.size
          for (let s = 0; s < 5; s++) {
            const end = ends.get(`10.0.0.${e} ${s}.com`) ?? 0
            expect(exit.quarantinedUntil(`${s}.com`, now)).toBe(end > now ? end : 0)
          }
        }
        expect(quarantine.size).toBe(pairs)
      }),
    )
  })
})
