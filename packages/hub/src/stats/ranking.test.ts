import { expect, test } from 'vitest'
import { noCounts } from '../store/index.ts'
import { rank } from './ranking.ts'

const device = (name: string, requests: number, successful: number) => ({
  name,
  counts: { ...noCounts(), requests, successful, bytesIn: requests },
})
const fleet = [device('busan-03', 10, 5), device('kazan-02', 0, 0), device('moscow-07', 10, 9), device('seoul-01', 90, 90)]

test.each([
  ['name', false, ['busan-03', 'kazan-02', 'moscow-07', 'seoul-01']],
  ['name', true, ['seoul-01', 'moscow-07', 'kazan-02', 'busan-03']],
  ['requests', true, ['seoul-01', 'busan-03', 'moscow-07', 'kazan-02']],
  ['success_rate', false, ['busan-03', 'moscow-07', 'seoul-01', 'kazan-02']],
  ['success_rate', true, ['seoul-01', 'moscow-07', 'busan-03', 'kazan-02']],
  ['bytes', false, ['kazan-02', 'busan-03', 'moscow-07', 'seoul-01']],
] as const)('by %s (down: %s) pages of one show each device once, in order; what has no rate comes last', (sort, isDown, order) => {
  const seen: string[] = []
  let after: ReturnType<typeof rank>['next'] = null
  do {
    const { page, next }: ReturnType<typeof rank> = rank(fleet, { sort, isDown, limit: 1, after })
    seen.push(...page.map(({ name }) => name))
    after = next
  } while (after !== null && seen.length <= fleet.length)
  expect(seen).toEqual(order)
})
