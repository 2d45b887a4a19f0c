import { expect, test } from 'vitest'
import { withNewest, withOlder } from './tail.ts'

const page = (next: string | null, ...ids: number[]) => ({ next, lines: ids.map((id) => ({ id: String(id), at: id })) })
const ids = ({ lines }: { readonly lines: readonly { readonly id: string }[] }): number[] => lines.map(({ id }) => Number(id))

test('new lines come on top, older ones stay, none is there twice; the way to older pages stays', () => {
  const shown = withOlder(withNewest(null, page('8', 10, 9, 8)), page('5', 7, 6, 5))
  const now = withNewest(shown, page('10', 12, 11, 10))
  expect(ids(now)).toEqual([12, 11, 10, 9, 8, 7, 6, 5])
  expect(now.next).toBe('5')
})

test('a line that has changed since is shown as it is now', () => {
  const before = { next: null, lines: [{ id: 'a', at: 1, state: 'rotating' }] }
  const now = { next: null, lines: [{ id: 'a', at: 1, state: 'changed' }] }
  expect(withNewest(before, now).lines).toEqual(now.lines)
})

test('rather nothing old than a hole', () => {
  const now = withNewest(page('5', 7, 6, 5), page('100', 102, 101, 100))
  expect(ids(now)).toEqual([102, 101, 100])
  expect(now.next).toBe('100')
})

test('it does not grow for ever', () => {
  const all = withOlder(
    page('1', ...Array.from({ length: 1_990 }, (_, n) => 5_000 - n)),
    page('0', ...Array.from({ length: 100 }, (_, n) => 3_000 - n)),
  )
  expect(all.lines).toHaveLength(2_000)
  expect(all.next).toBe(null)
})
