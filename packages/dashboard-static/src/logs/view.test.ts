import { expect, test } from 'vitest'
import { logPath, logViewFromParams, logViewToParams } from './view.ts'

test('what is shown is in the address, and what is as usual is not', () => {
  const view = { of: 'requests', device: 'seoul-01', site: 'shop.example', outcome: 'banned' } as const
  expect(String(logViewToParams(view))).toBe('device=seoul-01&site=shop.example&outcome=banned')
  expect(logViewFromParams(logViewToParams(view))).toEqual(view)
  expect(logViewFromParams(new URLSearchParams('of=nonsense'))).toEqual({ of: 'requests', device: '', site: '', outcome: '' })
})

test('the hub is asked with the filters that the log has', () => {
  expect(logPath({ of: 'requests', device: ' a b ', site: '', outcome: '' })).toBe(
    'api/v1/stats/requests?period=30d&limit=100&device=a%20b',
  )
  expect(logPath({ of: 'audit', device: 'x', site: 'y', outcome: 'z' })).toBe('api/v1/audit?limit=100')
})
