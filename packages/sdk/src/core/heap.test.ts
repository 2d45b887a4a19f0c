import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Heap } from './heap.ts'

interface Item {
  rank: number
  place: number
}

const make = () =>
  new Heap<Item>(
    (one, other) => one.rank < other.rank,
    (item, place) => {
      item.place = place
    },
  )

test('is a sorted list to look at, whatever is added, taken out or moved', () => {
  const step = fc.record({ kind: fc.constantFrom('add', 'add', 'take', 'remove', 'move', 'find'), rank: fc.nat(30), which: fc.nat(1_000) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const heap = make()
      let model: Item[] = []
      for (const { kind, rank, which } of steps) {
        const some = model[which % Math.max(1, model.length)]
        if (kind === 'add') {
          const item = { rank, place: -1 }
          heap.add(item)
          model.push(item)
        } else if (kind === 'take') {
          const taken = heap.takeFirst()
          expect(taken?.rank).toBe(model.length === 0 ? undefined : Math.min(...model.map((item) => item.rank)))
          expect(taken?.place ?? -1).toBe(-1)
          model = model.filter((item) => item !== taken)
        } else if (kind === 'find') {
          const passes = (item: Item) => item.rank % 3 === which % 3
          const fitting = model.filter(passes).map((item) => item.rank)
          expect(heap.find(passes)?.rank).toBe(fitting.length === 0 ? undefined : Math.min(...fitting))
        } else if (some !== undefined && kind === 'remove') {
          heap.removeAt(some.place)
          model = model.filter((item) => item !== some)
        } else if (some !== undefined && kind === 'move') {
          some.rank = rank
          heap.moved(some.place)
        }
        expect(heap.size).toBe(model.length)
        expect(new Set(heap)).toEqual(new Set(model))
        expect(new Set(model.map((item) => item.place)).size).toBe(model.length)
      }
    }),
  )
})

test('to find the first it looks at few more than come before it', () => {
  const heap = make()
  for (let rank = 0; rank < 10_000; rank++) heap.add({ rank, place: -1 })
  let looks = 0
  const found = heap.find((item) => {
    looks++
    return item.rank === 100
  })
  expect([found?.rank, looks]).toEqual([100, 101])
})
