import { expect, test } from 'vitest'
import { RetryBudget } from './retry-budget.ts'

const spendAll = (budget: RetryBudget): number => {
  let spent = 0
  while (budget.withdraw()) spent++
  return spent
}

test('a quiet pool has ten retries in reserve', () => {
  expect(spendAll(new RetryBudget(0.2))).toBe(10)
})

test('a share of nothing is nothing, the reserve included', () => {
  const budget = new RetryBudget(0)
  for (let i = 0; i < 1_000; i++) budget.deposit()
  expect(spendAll(budget)).toBe(0)
})

test('a hundred requests earn twenty retries at a share of 0.2', () => {
  const budget = new RetryBudget(0.2)
  spendAll(budget)
  for (let i = 0; i < 100; i++) budget.deposit()
  expect(spendAll(budget)).toBeGreaterThanOrEqual(19)
  expect(spendAll(budget)).toBe(0)
})

test('no more than a hundred can be saved up', () => {
  const budget = new RetryBudget(1)
  for (let i = 0; i < 10_000; i++) budget.deposit()
  expect(spendAll(budget)).toBe(100)
})
