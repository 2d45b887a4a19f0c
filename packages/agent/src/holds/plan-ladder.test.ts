import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { memoryState } from '../../test/memory-state.ts'
import { rung } from '../../test/scripted-device.ts'
import { HoldBook } from './hold-book.ts'
import { type HoldTry, planLadder } from './plan-ladder.ts'

const ladder = [rung(5_000), rung(15_000), rung(45_000)]
const tries = (changed: number, unchanged: number): HoldTry[] => [
  ...Array.from({ length: unchanged }, () => ({ at: 0, isChanged: false, tookMs: 9_000 })),
  ...Array.from({ length: changed }, () => ({ at: 1, isChanged: true, tookMs: 9_000 })),
]
const holdsOf = (known: Record<number, HoldTry[]>, dice = 0.5, rungs = ladder): number[] =>
  planLadder(rungs, (holdMs) => known[holdMs] ?? [], Object.keys(known).map(Number), dice).map(({ holdMs }) => holdMs)

describe('a ladder', () => {
  test.each<[string, Record<number, HoldTry[]>, number, number[]]>([
    ['is the driver’s own while nothing is known', {}, 0, [5_000, 15_000, 45_000]],
    ['begins with its first hold while too little is known of it', { 5000: tries(1, 8) }, 0.5, [5_000, 15_000, 45_000]],
    ['leaves out a hold that is known to be too short', { 5000: tries(8, 2) }, 0.5, [15_000, 45_000]],
    ['keeps a hold that changes 9 of 10', { 5000: tries(9, 1) }, 0.5, [5_000, 15_000, 45_000]],
    ['begins with a good hold that is shorter than the driver’s', { 2000: tries(5, 0) }, 0.5, [2_000, 5_000, 15_000, 45_000]],
    [
      'begins with the shortest of the good ones',
      { 2000: tries(5, 6), 4000: tries(6, 0), 5000: tries(9, 0) },
      0.5,
      [4_000, 5_000, 15_000, 45_000],
    ],
    ['counts the last 30 tries alone', { 5000: [...tries(0, 20), ...tries(27, 3)] }, 0.5, [5_000, 15_000, 45_000]],
    ['explores the next shorter hold when the dice say so', { 5000: tries(9, 0) }, 0.049, [3_500, 5_000, 15_000, 45_000]],
    [
      'explores below a hold that was explored before',
      { 3500: tries(9, 0), 5000: tries(9, 0) },
      0.049,
      [2_000, 3_500, 5_000, 15_000, 45_000],
    ],
    ['does not explore below the shortest that there is', { 2000: tries(9, 0) }, 0.049, [2_000, 5_000, 15_000, 45_000]],
    ['is the driver’s own where nothing works', { 5000: tries(1, 9), 15000: tries(1, 9), 45000: tries(1, 9) }, 0, [5_000, 15_000, 45_000]],
  ])('%s', (_, known, dice, holds) => {
    expect(holdsOf(known, dice)).toEqual(holds)
  })

  test('keeps what follows its first method, and learns nothing of what takes its own time', () => {
    const mixed = [rung(5_000), rung(15_000), rung(0, 'modem_reset')]
    expect(planLadder(mixed, () => tries(0, 10), [], 0.5)).toEqual(mixed)
    expect(planLadder(mixed, (holdMs) => (holdMs === 15_000 ? tries(9, 0) : tries(0, 10)), [], 0.5)).toEqual([
      rung(15_000),
      rung(0, 'modem_reset'),
    ])
    const link = [rung(20_000, 'api_call')]
    expect(planLadder(link, () => tries(0, 10), [1_000], 0)).toEqual(link)
  })

  test('never becomes empty, never has a hold twice, and grows', () => {
    const share = fc.tuple(fc.nat({ max: 30 }), fc.nat({ max: 30 }))
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 100, max: 60_000 }), { minLength: 1, maxLength: 5 }),
        fc.array(share, { maxLength: 8 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (holds, known, dice) => {
          const rungs = [...holds].sort((a, b) => a - b).map((holdMs) => rung(holdMs))
          const all = Object.fromEntries(known.map(([changed, not], index) => [holds[index] ?? index * 500 + 250, tries(changed, not)]))
          const planned = holdsOf(all, dice, rungs)
          expect(planned.length).toBeGreaterThan(0)
          expect(planned).toEqual([...new Set(planned)].sort((a, b) => a - b))
        },
      ),
    )
  })
})

describe('what is learned', () => {
  const tried = (at: number, isChanged: boolean): HoldTry => ({ at, isChanged, tookMs: 7_000 })

  test('is kept on disk for each carrier, and bounded', async () => {
    const state = memoryState()
    const book = await HoldBook.open(state, 'hilink')
    for (let at = 0; at < 40; at += 1) await book.note('MTS', rung(5_000), tried(at, at >= 20))
    await book.note('EE', rung(5_000), tried(50, false))
    await book.note('EE', rung(0, 'device_reboot'), tried(51, true))
    const again = await HoldBook.open(state, 'hilink')
    expect(again.table()).toEqual([
      {
        carrier: 'EE',
        driver: 'hilink',
        method: 'airplane_mode',
        hold_ms: 5_000,
        tries: 1,
        changed: 0,
        took_ms: 7_000,
        verdict: 'unknown',
      },
      { carrier: 'MTS', driver: 'hilink', method: 'airplane_mode', hold_ms: 5_000, tries: 30, changed: 20, took_ms: 7_000, verdict: 'bad' },
    ])
    const first = (carrier: string) => again.plan(carrier, ladder, new Set(), 0.5)[0]?.holdMs
    expect([first('MTS'), first('EE'), first('')]).toEqual([15_000, 5_000, 5_000])
  })

  test('of one device counts for the others of its kind and carrier', async () => {
    const [own, other, stranger] = await Promise.all(['hilink', 'hilink', 'zte'].map((driver) => HoldBook.open(memoryState(), driver)))
    for (let at = 0; at < 5; at += 1) await other?.note('MTS', rung(2_000), tried(at, true))
    const library = new Set([own, other, stranger].filter((book) => book !== undefined))
    const first = (book: HoldBook | undefined) => book?.plan('MTS', ladder, library, 0.5)[0]?.holdMs
    expect([first(own), first(other), first(stranger)]).toEqual([2_000, 2_000, 5_000])
  })
})
