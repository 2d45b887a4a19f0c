import { expect, test } from 'vitest'
import type { BlockRecord } from '../store/index.ts'
import { AddressBlocks } from './address-blocks.ts'

const MINUTE = 60_000

test('a block lasts twice as long each time, a day at the most, and one a week later is a first again', async () => {
  const rows = new Map<string, BlockRecord>()
  let now = 0
  const store = {
    since: async (until: number) => [...rows.values()].filter((row) => row.until > until),
    put: async (row: BlockRecord) => void rows.set(row.address, row),
    prune: async () => {},
  }
  const blocks = await AddressBlocks.load({ store, trustProxy: [], settings: () => ({ after: 3, firstMs: 15 * MINUTE }), now: () => now })
  const minutes: number[] = []
  for (let times = 0; times < 9; times++) {
    let block: BlockRecord | null = null
    for (let n = 0; n < 3; n++) block = await blocks.refused('192.0.2.1')
    minutes.push(((block?.until ?? 0) - now) / MINUTE)
    now = block?.until ?? 0
    expect(blocks.find('192.0.2.1')).toBeNull()
  }
  expect(minutes).toEqual([15, 30, 60, 120, 240, 480, 960, 1440, 1440])
  now += 8 * 1440 * MINUTE
  await blocks.reload()
  for (let n = 0; n < 3; n++) await blocks.refused('192.0.2.1')
  expect(((blocks.find('192.0.2.1')?.until ?? 0) - now) / MINUTE).toBe(15)
})

test('refusals that are spread out lead to no block', async () => {
  let now = 0
  const store = { since: async () => [], put: async () => {}, prune: async () => {} }
  const blocks = await AddressBlocks.load({ store, trustProxy: [], settings: () => ({ after: 10, firstMs: MINUTE }), now: () => now })
  // One a minute is what ten in ten minutes allow.
  for (let n = 0; n < 1_000; n++, now += MINUTE + 1) expect(await blocks.refused('192.0.2.1')).toBeNull()
})
