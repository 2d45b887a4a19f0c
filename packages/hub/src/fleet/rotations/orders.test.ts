import { expect, test } from 'vitest'
import { Orders } from './orders.ts'

const order = 'a1'
const never = new AbortController().signal
const poll = (orders: Orders, current: () => string | null, waitMs: number, gone = never) =>
  orders.next({ deviceId: 'd1', waitMs, gone }, current)

test('an order that is there is given at once', async () => {
  expect(await poll(new Orders(Date.now), () => order, 60_000)).toBe(order)
})

test('an order that comes is given at that moment', async () => {
  const orders = new Orders(Date.now)
  let current: string | null = null
  const asked = poll(orders, () => current, 60_000)
  current = order
  orders.announce('d1')
  expect(await asked).toBe(order)
})

test('without an order a poll ends empty after its time', async () => {
  expect(await poll(new Orders(Date.now), () => null, 20)).toBeNull()
  expect(await poll(new Orders(Date.now), () => null, 0)).toBeNull()
})

test('an order is not given twice in a row, but again to an agent that comes back', async () => {
  const orders = new Orders(Date.now)
  expect(await poll(orders, () => order, 60_000)).toBe(order)
  expect(await poll(orders, () => order, 50)).toBeNull()
  const asked = Date.now()
  expect(await poll(orders, () => order, 60_000)).toBe(order)
  expect(Date.now() - asked).toBeGreaterThan(1_000)
})

test('a newer poll ends the older one, and gets the order', async () => {
  const orders = new Orders(Date.now)
  let current: string | null = null
  const older = poll(orders, () => current, 60_000)
  const newer = poll(orders, () => current, 60_000)
  expect(await older).toBeNull()
  current = order
  orders.announce('d1')
  expect(await newer).toBe(order)
})

test('a poll whose asker has hung up ends', async () => {
  const gone = new AbortController()
  const asked = poll(new Orders(Date.now), () => null, 60_000, gone.signal)
  gone.abort()
  expect(await asked).toBeNull()
})

test('closing ends every poll', async () => {
  const orders = new Orders(Date.now)
  const asked = poll(orders, () => null, 60_000)
  orders.close()
  expect(await asked).toBeNull()
})
