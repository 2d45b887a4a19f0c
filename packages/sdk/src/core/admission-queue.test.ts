import fc from 'fast-check'
import { expect, test } from 'vitest'
import { AdmissionQueue, type Applicant } from './admission-queue.ts'
import { PLAIN_VIEW } from './view.ts'

const applicant = (order: number, site = 'a.com'): Applicant => ({ order, site, tried: [], view: PLAIN_VIEW })

test('first come, first served; a retry takes the place that its request came with', () => {
  const queue = new AdmissionQueue()
  for (const order of [3, 5, 4, 1]) queue.add(applicant(order), 100)
  expect([1, 2, 3, 4].map(() => queue.takeFirst(() => true)?.order)).toEqual([1, 3, 4, 5])
  expect(queue.takeFirst(() => true)).toBeUndefined()
})

test('one that cannot be served does not hold up the next', () => {
  const queue = new AdmissionQueue()
  queue.add(applicant(1, 'banned.com'), 100)
  queue.add(applicant(2), 100)
  expect(queue.takeFirst(({ site }) => site === 'a.com')?.order).toBe(2)
  expect(queue.length).toBe(1)
})

test('the earliest deadline is never told too late', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ order: fc.nat(), deadline: fc.nat() })), fc.nat(), (all, now) => {
      const queue = new AdmissionQueue()
      for (const { order, deadline } of all) queue.add(applicant(order), deadline)
      expect(queue.earliestDeadline).toBeLessThanOrEqual(Math.min(Number.POSITIVE_INFINITY, ...all.map(({ deadline }) => deadline)))
      const late = queue.takeAll(({ deadline }) => deadline <= now)
      expect(late.length).toBe(all.filter(({ deadline }) => deadline <= now).length)
      expect(queue.earliestDeadline).toBeGreaterThan(now)
    }),
  )
})

test('who is withdrawn is gone, and nobody is withdrawn twice', () => {
  const queue = new AdmissionQueue()
  const one = applicant(1)
  queue.add(one, 100)
  expect(queue.remove(one)).toBe(true)
  expect(queue.remove(one)).toBe(false)
  expect(queue.earliestDeadline).toBe(Number.POSITIVE_INFINITY)
})
