import fc from 'fast-check'
import { expect, test } from 'vitest'
import { IdleConnections, IdlePlace } from './idle-connections.ts'

class Numbered {
  readonly place = new IdlePlace<Numbered>()
  readonly key: string
  readonly n: number

  constructor(key: string, n: number) {
    this.key = key
    this.n = n
  }
}

test('the one used last is taken first, and of too many the longest idle are surplus, whatever they lead to', () => {
  const idle = new IdleConnections<Numbered>(3)
  const [a1, b1, a2, c1] = [new Numbered('a', 1), new Numbered('b', 1), new Numbered('a', 2), new Numbered('c', 1)]
  for (const one of [a1, b1, a2]) expect(idle.put(one)).toBe(true)
  expect(idle.put(c1)).toBe(false)
  expect(idle.takeSurplus()).toEqual([a1])
  expect(idle.takeSurplus()).toEqual([])
  expect(idle.take('a')).toBe(a2)
  expect(idle.take('a')).toBeUndefined()
  expect([idle.has('a'), idle.has('b'), idle.size]).toEqual([false, true, 2])
})

test('whatever is put, taken and deleted: no more than the limit are kept, nothing twice, nothing lost', () => {
  const step = fc.record({ what: fc.constantFrom('put', 'take', 'delete', 'trim'), key: fc.constantFrom('a', 'b', 'c') })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.nat(4), (steps, max) => {
      const idle = new IdleConnections<Numbered>(max)
      let model: Numbered[] = []
      for (const [n, { what, key }] of steps.entries()) {
        if (what === 'put') {
          const one = new Numbered(key, n)
          model.push(one)
          expect(idle.put(one)).toBe(model.length <= max)
        } else if (what === 'take') {
          const expected = model.filter((one) => one.key === key).at(-1)
          expect(idle.take(key)).toBe(expected)
          model = model.filter((one) => one !== expected)
        } else if (what === 'trim') {
          expect(idle.takeSurplus()).toEqual(model.splice(0, Math.max(0, model.length - max)))
        } else {
          const [first] = model
          if (first !== undefined) idle.delete(first)
          model.shift()
        }
        expect(idle.size).toBe(model.length)
        expect(idle.has(key)).toBe(model.some((one) => one.key === key))
      }
    }),
  )
})
