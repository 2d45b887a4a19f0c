import { z } from 'zod'
import { timestamp } from './names.ts'

/** The tunnel of a device, as the hub shows it. */
export const tunnelStatus = z.object({
  /** Whether the device can be reached through the hub's gateway now. */
  connected: z.boolean(),
  /** Since when that is so, or no longer so. */
  since: timestamp,
  sessions: z.int().nonnegative(),
  streams: z.int().nonnegative(),
  /** There and back, as the last ping found it; null: none was answered yet. */
  rtt_ms: z.int().nonnegative().nullable(),
})
export type TunnelStatusJson = z.infer<typeof tunnelStatus>
