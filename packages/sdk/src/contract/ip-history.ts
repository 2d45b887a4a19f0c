import { z } from 'zod'
import { ipAddress, label, timestamp } from './names.ts'

/** Earlier stretches of a device at an address: "seen 3 times, last 2 days ago". */
export const ipSeenBefore = z.object({ times: z.int().positive(), last_seen: timestamp })

/** A stretch of time of a device at one address. */
export const ipStretch = z.object({
  ip: ipAddress,
  first_seen: timestamp,
  last_seen: timestamp,
  /** The device has it now. */
  is_current: z.boolean(),
  /** The device's at that time. */
  operator: label.nullable(),
  /** Attempts that pools reported meanwhile; a count to judge an address by, a second behind. */
  total_requests: z.int().nonnegative(),
  /** Quarantines that pools confirmed meanwhile. */
  times_blocked: z.int().nonnegative(),
  blocked_at: timestamp.nullable(),
  /** The last site that banned it, and the rule by which a pool noticed. */
  blocked_reason: z.string().nullable(),
  /** Whether any site's quarantine of it lasts. */
  is_blocked: z.boolean(),
  /** Those sites, at most 20. */
  blocked_for: z.array(z.string()),
  /** Null: the device had it for the first time then. */
  seen_before: ipSeenBefore.nullable(),
})

/** Query of `GET /api/v1/admin/devices/{id}/ips`. */
export const ipHistoryQuery = z.object({
  limit: z.coerce.number().int().min(1).max(500).default(50),
  /** `next` of the page before. */
  after: z.string().min(1).max(200).optional(),
})

/** Its reply: newest first. */
export const ipHistory = z.object({ ips: z.array(ipStretch), next: z.string().nullable() })
