import { z } from 'zod'
import type { CacheStore } from '../cache/cache-store.ts'
import { count, ms } from './numbers.ts'
import { poolDefaults } from './pool-options.ts'

const defaults = poolDefaults.cache

const store = z.custom<CacheStore>(
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    (['get', 'createWriteStream', 'delete'] as const).every((method) => typeof (value as Partial<CacheStore>)[method] === 'function'),
  'must have the methods get, createWriteStream and delete',
)

/** What `CacheOptions` says, as a schema. */
export const cacheOptions = z.strictObject({
  store: store.optional(),
  methods: z
    .array(z.enum(['GET', 'HEAD', 'OPTIONS', 'TRACE'], "must be 'GET', 'HEAD', 'OPTIONS' or 'TRACE'"))
    .min(1, 'is empty: leave it out for GET')
    .default([...defaults.methods]),
  type: z.enum(['shared', 'private'], "must be 'shared' or 'private'").default(defaults.type),
  cacheByDefaultMs: ms().optional(),
  maxEntries: count(1, 1_000_000).default(defaults.maxEntries),
  maxBytes: count(1, 17_179_869_184).default(defaults.maxBytes),
  maxEntryBytes: count(1, 1_073_741_824).default(defaults.maxEntryBytes),
})
