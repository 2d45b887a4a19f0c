import fc from 'fast-check'
import { expect, test } from 'vitest'
import { IdleConnections } from './idle-connections.ts'

test('the one used last is taken first, and of too many the longest idle goes, whatever it leads to', () => {
  const idle = new IdleConnections<{ key: string; n: number }>(3)
  const [a1, b1, a2, c1] = [
    { key: 'a', n: 1 },
    { key: 'b', n: 1 },
    { key: 'a', n: 2 },
    { key: 'c', n: 1 },
  ]
  for (const one of [a1, b1, a2]) expect(idle.put(one)).toBeUndefined()
  expect(idle.put(c1)).toBe(a1)
  expect(idle.take('a')).toBe(a2)
  expect(idle.take('a')).toBeUndefined()
  expect([idle.has('a'), idle.has('b'), idle.size]).toEqual([false, true, 2])
})

test('none may be idle where the limit is 0', () => {
  const idle = new IdleConnections<{ key: string }>(0)
  const one = { key: 'a' }
  expect(idle.put(one)).toBe(one)
  expect([idle.size, idle.has('a')]).toEqual([0, false])
})

test('whatever is put, taken and deleted: never more than the limit, nothing twice, nothing lost', () => {
  const step = fc.record({ what: fc.constantFrom('put', 'take', 'delete'), key: fc.constantFrom('a', 'b', 'c') })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.nat(4), (steps, max) => {
      const idle = new IdleConnections<{ key: string; n: number }>(max)
      let model: { key: string; n: number }[] = []
      for (const [n, { what, key }] of steps.entries()) {
        if (what === 'put') {
          const one = { key, n }
          model.push(one)
          const gone = model.length > max ? model.shift() : undefined
          expect(idle.put(one)).toBe(gone)
        } else if (what === 'take') {
          const expected = model.filter((one) => one.key === key).at(-1)
          expect(idle.take(key)).toBe(expected)
          model = model.filter((one) => one !== expected)
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
