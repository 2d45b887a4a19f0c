import { AsyncLocalStorage } from 'node:async_hooks'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { VirtualClock } from '../../test/virtual-clock.ts'
import { systemClock } from '../clock.ts'
import { Deadlines, type Timed } from './deadlines.ts'

class Request implements Timed {
  row: Timed['row'] = null
  dueAt = 0
  earlier: Timed | null = null
  later: Timed | null = null
  readonly onDue: () => void

  constructor(onDue: () => void) {
    this.onDue = onDue
  }
}

test('whatever is set, put off and cleared: each is due exactly when its time is over, once', async () => {
  const step = fc.record({
    what: fc.constantFrom('set', 'refresh', 'clear', 'pass'),
    who: fc.nat(4),
    limit: fc.constantFrom(10, 25),
    ms: fc.nat(12),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const clock = new VirtualClock()
      const deadlines = new Deadlines(clock)
      const fired: [number, number][] = []
      const expected: [number, number][] = []
      const model = new Map<number, { dueAt: number; limit: number }>()
      const requests = Array.from({ length: 5 }, (_, who) => new Request(() => fired.push([who, clock.now()])))
      const pass = async (ms: number): Promise<void> => {
        for (const [who, { dueAt }] of model) {
          if (dueAt > clock.now() + ms) continue
          expected.push([who, dueAt])
          model.delete(who)
        }
        await clock.advance(ms)
      }
      for (const { what, who, limit, ms } of steps) {
        const request = requests[who] as Request
        const known = model.get(who)
        if (what === 'set') {
          deadlines.set(request, limit)
          model.set(who, { dueAt: clock.now() + limit, limit })
        } else if (what === 'refresh') {
          deadlines.refresh(request)
          if (known !== undefined) model.set(who, { ...known, dueAt: clock.now() + known.limit })
        } else if (what === 'clear') {
          deadlines.clear(request)
          model.delete(who)
        } else await pass(ms)
      }
      await pass(100)
      const inOrder = (events: [number, number][]) => events.map(([who, at]) => at * 10 + who).sort((one, other) => one - other)
      expect(inOrder(fired)).toEqual(inOrder(expected))
      expect(clock.pending).toBe(0)
    }),
    { numRuns: 50 },
  )
})

test('a thousand requests have one timer, and none is left when it is closed', () => {
  const clock = new VirtualClock()
  const deadlines = new Deadlines(clock)
  for (let i = 0; i < 1_000; i++) deadlines.set(new Request(() => {}), 1_000)
  expect(clock.pending).toBe(1)
  deadlines.close()
  expect(clock.pending).toBe(0)
})

test('one that throws does not keep the others waiting', async () => {
  const clock = new VirtualClock()
  const deadlines = new Deadlines(clock)
  let served = false
  deadlines.set(
    new Request(() => {
      throw new Error('of a caller')
    }),
    10,
  )
  deadlines.set(new Request(() => (served = true)), 10)
  await expect(clock.advance(10)).rejects.toThrow('of a caller')
  await clock.advance(0)
  expect(served).toBe(true)
})

test("nobody's time is over in somebody else's async context", async () => {
  const context = new AsyncLocalStorage<string>()
  const deadlines = new Deadlines(systemClock)
  const seen = await new Promise((resolve) => {
    context.run('another', () => deadlines.set(new Request(() => {}), 5))
    context.run('mine', () => deadlines.set(new Request(() => resolve(context.getStore())), 5))
    setTimeout(() => {}, 50)
  })
  expect(seen).toBeUndefined()
  deadlines.close()
})
