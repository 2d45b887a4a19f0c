import { z } from 'zod'
import { seconds, wholeNumber } from './fields.ts'

const webAddress = z
  .string()
  .refine((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol), 'must be a URL like https://hub.example.com')
  .nullable()
  .default(null)

/** How devices get new exit IPs, and how the hub knows that they did. A device's own settings go before these. */
export const rotationOptions = {
  /** Least time from the end of a device's rotation to the next one, ms. */
  rotationMinIntervalMs: seconds(0, 86_400).default(60_000),
  /** Share of the adopted devices that may be away for a rotation at once; one always may. */
  rotationMaxParallel: z
    .number({ error: 'must be a share of the fleet, like 0.25' })
    .gt(0, 'must be above 0 and at most 1')
    .max(1, 'must be above 0 and at most 1')
    .default(0.25),
  /** An attempt that is not over after this long has failed, ms. Waiting for its turn does not count. */
  rotationTimeoutMs: seconds(1, 3600).default(60_000),
  /** How long a device may let requests in flight finish before it rotates, ms. */
  rotationDrainMs: seconds(0, 600).default(3_000),
  /** Attempts of one rotation. The specification's number. */
  rotationAttempts: wholeNumber(1, 20).default(3),
  /** Time between two attempts, ms. */
  rotationRetryDelayMs: seconds(0, 3600).default(10_000),
  /** How long a rotation waits for its device to come back online, ms. */
  rotationOfflineWaitMs: seconds(1, 86_400).default(600_000),
  /** After a start no interval rotation begins for this long, ms: a restarted hub must not rotate the whole fleet. */
  rotationStartGraceMs: seconds(0, 3600).default(180_000),
  /** Where devices and people reach this hub; null: as it was asked. */
  publicUrl: webAddress,
  /** An echo, asked through a device's proxy, that answers with the address it sees; null: this hub's, where devices reach it. */
  exitIpUrl: webAddress,
}
