import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AdmissionQueue, type Applicant } from './admission-queue.ts'
import { Device } from './device.ts'
import { ExitMemory } from './quarantine.ts'
import { PLAIN_VIEW, type View } from './view.ts'

const device = (id: string): Device =>
  new Device({ id, name: id, weight: 1, tags: [], operator: null, region: null, type: 'generic' }, new ExitMemory(id))
const seoul = device('seoul-01')
const omsk = device('omsk-05')

const applicant = (order: number, site = 'a.com', view: Partial<View> = {}, tried: Device[] = []): Applicant => ({
  order,
  site,
  tried,
  view: { ...PLAIN_VIEW, ...view },
})

const takeNext = (queue: AdmissionQueue<Applicant>, { oldestFirst = false, but = [] as string[], on = seoul } = {}): number | undefined => {
  const head = queue.next(on, (line) => !but.includes(line.head.site), oldestFirst)?.head
  if (head !== undefined) queue.remove(head)
  return head?.order
}

test('first come, first served, whatever they wait for; a retry takes the place that its request came with', () => {
  const queue = new AdmissionQueue()
  for (const order of [3, 5, 4, 1]) queue.add(applicant(order, `${order % 2}.com`), 100)
  queue.add(applicant(2, '0.com', {}, [omsk]), 100)
  expect([1, 2, 3, 4, 5, 6].map(() => takeNext(queue))).toEqual([1, 2, 3, 4, 5, undefined])
})

test('one that cannot be served does not hold up the next', () => {
  const queue = new AdmissionQueue()
  queue.add(applicant(1, 'banned.com'), 100)
  queue.add(applicant(2), 100)
  expect(takeNext(queue, { but: ['banned.com'] })).toBe(2)
  expect(queue.length).toBe(1)
})

test('who takes only some devices is not asked for others', () => {
  const queue = new AdmissionQueue()
  const accepts = (each: Device) => each === omsk
  queue.add(applicant(1, 'a.com', { accepts }), 100)
  queue.add(applicant(2), 100)
  expect(takeNext(queue, { on: seoul })).toBe(2)
  expect(takeNext(queue, { on: seoul })).toBeUndefined()
  expect(takeNext(queue, { on: omsk })).toBe(1)
})

test('higher priority first; asked for the oldest, whoever came first', () => {
  const queue = new AdmissionQueue()
  for (const [order, priority] of [
    [1, 0],
    [2, 5],
    [3, -1],
    [4, 5],
    [5, 0],
  ] as const)
    queue.add(applicant(order, 'a.com', { priority }), 100)
  expect(queue.hasPriorities).toBe(true)
  expect(takeNext(queue, { oldestFirst: true })).toBe(1)
  expect([1, 2, 3, 4].map(() => takeNext(queue))).toEqual([2, 4, 5, 3])
  expect(queue.hasPriorities).toBe(false)
})

test('the earliest deadline is told, and who is late is taken out, in the order of their deadlines', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ site: fc.nat(3), deadline: fc.nat(50) })), fc.nat(50), (all, now) => {
      const queue = new AdmissionQueue()
      for (const [order, { site, deadline }] of all.entries()) queue.add(applicant(order, `${site}.com`), deadline)
      expect(queue.earliestDeadline).toBe(Math.min(Number.POSITIVE_INFINITY, ...all.map(({ deadline }) => deadline)))
      const late = queue.takeLate(now)
      expect(late.map(({ order }) => all[order]?.deadline)).toEqual(
        all
          .map(({ deadline }) => deadline)
          .filter((deadline) => deadline <= now)
          .sort((one, other) => one - other),
      )
      expect(queue.earliestDeadline).toBeGreaterThan(now)
    }),
  )
})

test('who is withdrawn is gone, and nobody is withdrawn twice', () => {
  const queue = new AdmissionQueue()
  const one = applicant(1, 'a.com', {}, [omsk])
  queue.add(one, 100)
  expect([queue.hasTried, queue.remove(one), queue.remove(one), queue.hasTried]).toEqual([true, true, false, false])
  expect(queue.earliestDeadline).toBe(Number.POSITIVE_INFINITY)
  expect([...queue.lines()]).toEqual([])
})

describe('whatever happens', () => {
  test('the queue is what a plain sorted list would be', () => {
    const views = [
      {},
      { priority: 1 },
      { accepts: (each: Device) => each === omsk },
      { accepts: (each: Device) => each === seoul, priority: 1 },
    ]
    const step = fc.record({
      kind: fc.constantFrom('add', 'add', 'add', 'next', 'next', 'remove', 'late'),
      which: fc.nat(1_000),
      site: fc.nat(4),
      view: fc.nat(3),
      isTried: fc.boolean(),
      isOnOmsk: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const queue = new AdmissionQueue()
        let model: { applicant: Applicant; deadline: number }[] = []
        const forget = (gone: Applicant | undefined) => {
          model = model.filter(({ applicant: each }) => each !== gone)
        }
        for (const [index, { kind, which, site, view, isTried, isOnOmsk }] of steps.entries()) {
          if (kind === 'add') {
            // Orders come twice in a while: a retry comes back with its old place.
            const added = applicant(index - (which % 3) * 0.5, `${site}.com`, views[view], isTried ? [seoul] : [])
            queue.add(added, which)
            model.push({ applicant: added, deadline: which })
          } else if (kind === 'next') {
            const on = isOnOmsk ? omsk : seoul
            const passes = (each: Applicant) => each.site !== `${site}.com` && !each.tried.includes(on)
            const head = queue.next(on, (line) => passes(line.head), which % 2 === 0)?.head
            const fitting = model
              .map(({ applicant: each }) => each)
              .filter((each) => (each.view.accepts === null || each.view.accepts(on)) && passes(each))
              .sort((one, other) => (which % 2 === 0 ? 0 : other.view.priority - one.view.priority) || one.order - other.order)
            expect(head?.order).toBe(fitting[0]?.order)
            if (head !== undefined) queue.remove(head)
            forget(head)
          } else if (kind === 'remove') {
            const gone = model[which % Math.max(1, model.length)]?.applicant
            if (gone !== undefined) expect(queue.remove(gone)).toBe(true)
            forget(gone)
          } else {
            const late = queue.takeLate(which / 10)
            expect(late.length).toBe(model.filter(({ deadline }) => deadline <= which / 10).length)
            for (const gone of late) forget(gone)
          }
          expect(queue.length).toBe(model.length)
          expect(queue.hasPriorities).toBe(new Set(model.map(({ applicant: each }) => each.view.priority)).size > 1)
        }
        expect(queue.takeAll().map(({ order }) => order)).toEqual(
          model.map(({ applicant: each }) => each.order).sort((one, other) => one - other),
        )
      }),
    )
  })
})
