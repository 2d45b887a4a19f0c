import { z } from 'zod'
import { timestamp } from './names.ts'

/** An address whose requests are not taken for now, unless they bring a good key. */
export const addressBlock = z.object({
  /** An IPv4 address, or the first four groups of an IPv6 /64. */
  address: z.string(),
  reason: z.string(),
  /** How often it was blocked within a week; each time for longer. */
  times: z.int().positive(),
  blocked_at: timestamp,
  until: timestamp,
})
export type AddressBlockJson = z.infer<typeof addressBlock>

/** Reply of `GET /api/v1/blocks`, newest first. */
export const blockList = z.object({ blocks: z.array(addressBlock) })
