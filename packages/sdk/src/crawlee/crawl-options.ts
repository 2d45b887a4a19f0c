import { z } from 'zod'
import { type LeaseOptions, parseLeaseOptions } from '../clients/lease-options.ts'
import { MobilePoolError } from '../errors.ts'
import { count, ms } from '../options/numbers.ts'
import { optionsError } from '../options/parse-options.ts'

/** Which devices Crawlee gets, how long, and how many. */
export interface CrawlOptions {
  /**
   * What every lease is taken with, as for `pool.lease()`. Without a `site` it is the one of the first request, so that a session does not
   * begin on an exit IP that is quarantined for it. @default any device
   */
  lease?: Omit<LeaseOptions, 'session' | 'signal' | 'proxy'> & { proxy?: 'local' | 'direct' }
  /**
   * A lease that Crawlee did not ask for so long is given back. Crawlee 4 asks once a session: longer than its sessions live
   * (`maxAgeSecs`, 3000). From 1. @default 3600000, an hour
   */
  ttlMs?: number
  /** Leases at most: the one that was not asked for longest is given back. From 1. @default 1000, as Crawlee's session pool */
  maxSessions?: number
}

/** What is not given. */
const crawlDefaults = { ttlMs: 3_600_000, maxSessions: 1_000 } as const

const crawlOptions = z.strictObject({
  lease: z.record(z.string(), z.unknown(), 'must be an object').optional(),
  ttlMs: ms().default(crawlDefaults.ttlMs),
  maxSessions: count(1, 1_000_000).default(crawlDefaults.maxSessions),
})

/** Options of an adapter, checked. */
export interface CrawlSettings {
  readonly lease: LeaseOptions
  readonly ttlMs: number
  readonly maxSessions: number
}

/** Checks the options. Throws `MP_OPTIONS` that names every wrong one. */
export function parseCrawlOptions(options: CrawlOptions): CrawlSettings {
  const parsed = crawlOptions.safeParse(options)
  if (!parsed.success) throw optionsError("the Crawlee proxy's options are wrong", parsed.error)
  const lease: LeaseOptions = { ...options.lease }
  const { proxy, signal } = parseLeaseOptions(lease)
  if (lease.session !== undefined) throw wrong('lease.session: Crawlee has sessions of its own, each with a lease')
  if (proxy === false) throw wrong("lease.proxy: must be 'local' or 'direct': a proxy URL is what Crawlee takes")
  if (signal !== undefined) throw wrong('lease.signal: is not for all leases; call `close()` to end them')
  return { lease, ttlMs: parsed.data.ttlMs, maxSessions: parsed.data.maxSessions }
}

const wrong = (what: string): MobilePoolError =>
  new MobilePoolError('MP_OPTIONS', `the Crawlee proxy's options are wrong: ${what}`, { phase: 'options' })
