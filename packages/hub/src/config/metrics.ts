import { z } from 'zod'

/** What `/metrics` says. */
export const metricsOptions = {
  /** Devices that have metrics of their own; the rest is counted together as `other`. */
  metricsMaxDevices: z
    .int({ error: 'must be a whole number' })
    .min(0, 'must be 0 to 100000')
    .max(100_000, 'must be 0 to 100000')
    .default(1_000),
}
