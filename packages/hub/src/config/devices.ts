import { z } from 'zod'

/** What devices get that are added without it, and when their owner is told of a silence. */
export const deviceOptions = {
  /**
   * `requests_per_minute` of a device that is created without it; null: no limit but the pools' own. The specification's default is
   * 100; here it is said by whoever wants it, since a fleet that is slow without a word is the first thing people would run into.
   */
  maxRequestsPerMinute: z
    .int({ error: 'must be a whole number' })
    .min(1, 'must be 1 to 1000000')
    .max(1_000_000, 'must be 1 to 1000000')
    .nullable()
    .default(null),
  /** Silence after which a device's owner is told, ms. Its time-out takes it out of traffic long before. */
  deviceSilentAfterMs: z
    .number({ error: 'must be a number of seconds' })
    .min(1_000, 'must be at least 1 second')
    .max(86_400_000, 'must be at most 86400 seconds')
    .default(300_000),
}
