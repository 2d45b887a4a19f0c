import { finished } from 'node:stream/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { CacheValue } from './cache-store.ts'
import { MemoryStore } from './memory-store.ts'

const LIMITS = { maxEntries: 10, maxBytes: 10_000, maxEntryBytes: 2_000 }
const keyOf = (path: string, headers: Record<string, string> = {}) => ({ origin: 'http://shop.test', method: 'GET', path, headers })
const answerOf = (fields: Partial<CacheValue> = {}): CacheValue => ({
  statusCode: 200,
  statusMessage: 'OK',
  headers: {},
  cachedAt: 0,
  staleAt: 1_000,
  deleteAt: 2_000,
  ...fields,
})

async function put(store: MemoryStore, path: string, body: string, value: CacheValue = answerOf(), headers: Record<string, string> = {}) {
  const stream = store.createWriteStream(keyOf(path, headers), value)
  stream.end(body)
  await finished(stream).catch(() => {})
}

const bodyOf = (store: MemoryStore, path: string, headers: Record<string, string> = {}): string | undefined => {
  const found = store.get(keyOf(path, headers))
  return found === undefined ? undefined : Buffer.concat(found.body as Buffer[]).toString()
}

test('the bounds hold whatever is put in, and what was used last stays', async () => {
  const puts = fc.array(fc.record({ path: fc.integer({ min: 0, max: 30 }), bytes: fc.integer({ min: 0, max: 3_000 }) }), { maxLength: 60 })
  await fc.assert(
    fc.asyncProperty(puts, async (all) => {
      const store = new MemoryStore(LIMITS, () => 0)
      for (const { path, bytes } of all) {
        await put(store, `/${path}`, 'x'.repeat(bytes))
        expect(store.size.entries).toBeLessThanOrEqual(LIMITS.maxEntries)
        expect(store.size.bytes).toBeLessThanOrEqual(LIMITS.maxBytes)
        if (bytes < LIMITS.maxEntryBytes - 100) expect(bodyOf(store, `/${path}`)).toHaveLength(bytes)
      }
      for (const { path } of all) store.delete(keyOf(`/${path}`))
      expect(store.size).toEqual({ entries: 0, bytes: 0 })
    }),
    { numRuns: 40 },
  )
})

test('what is unused for longest goes first', async () => {
  const store = new MemoryStore({ ...LIMITS, maxEntries: 2 }, () => 0)
  await put(store, '/a', 'a')
  await put(store, '/b', 'b')
  expect(bodyOf(store, '/a')).toBe('a')
  await put(store, '/c', 'c')
  expect(['/a', '/b', '/c'].map((path) => bodyOf(store, path))).toEqual(['a', undefined, 'c'])
})

test('answers that vary are kept side by side, and a new one of a kind replaces the old', async () => {
  const store = new MemoryStore(LIMITS, () => 0)
  for (const [language, body] of [
    ['ko', 'annyeong'],
    ['en', 'hello'],
    ['en', 'hi'],
  ] as const)
    await put(store, '/', body, answerOf({ vary: { 'accept-language': language } }), { 'accept-language': language })
  expect(['ko', 'en', 'ru'].map((language) => bodyOf(store, '/', { 'accept-language': language }))).toEqual(['annyeong', 'hi', undefined])
  expect(store.size.entries).toBe(2)
})

test('an answer past its time is not given, and one that broke off is not kept', async () => {
  let now = 1_999
  const store = new MemoryStore(LIMITS, () => now)
  await put(store, '/', 'x')
  expect(bodyOf(store, '/')).toBe('x')
  now = 2_000
  expect(bodyOf(store, '/')).toBeUndefined()
  const broken = store.createWriteStream(keyOf('/broken'), answerOf({ deleteAt: 9_999 }))
  broken.write('half')
  broken.destroy()
  expect(bodyOf(store, '/broken')).toBeUndefined()
})
