import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DueTimes } from './due-times.ts'

test('gives what is due in the order of the times, each item at the time that was set last', () => {
  const action = fc.oneof(
    fc.record({ do: fc.constant('set' as const), item: fc.nat(20), at: fc.nat(1000) }),
    fc.record({ do: fc.constant('delete' as const), item: fc.nat(20), at: fc.constant(0) }),
    fc.record({ do: fc.constant('take' as const), item: fc.constant(0), at: fc.nat(1000) }),
  )
  fc.assert(
    fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
      const due = new DueTimes<number>()
      const model = new Map<number, number>()
      for (const { do: what, item, at } of actions) {
        if (what === 'set') {
          due.set(item, at)
          model.set(item, at)
        } else if (what === 'delete') {
          due.delete(item)
          model.delete(item)
        } else {
          const taken = due.takeDue(at)
          const expected = [...model].filter(([, time]) => time <= at)
          expect(taken.map((one) => model.get(one))).toEqual(expected.map(([, time]) => time).sort((a, b) => a - b))
          expect(new Set(taken)).toEqual(new Set(expected.map(([one]) => one)))
          for (const one of taken) model.delete(one)
        }
        expect(due.earliest).toBe(Math.min(Number.POSITIVE_INFINITY, ...model.values()))
      }
    }),
  )
})

test('an item that is set anew for ever takes no more room than one', () => {
  const due = new DueTimes<string>()
  for (let at = 1_000_000; at > 0; at--) due.set('busan-03', at)
  expect(due.takeDue(1)).toEqual(['busan-03'])
  expect(due.earliest).toBe(Number.POSITIVE_INFINITY)
})
