import { z } from 'zod'
import { duration, type RotationTrigger, rotationTrigger } from '../contract/index.ts'
import { optionsError } from '../options/parse-options.ts'

/** What `pool.rotate` may be told besides the device. */
export interface RotateDeviceOptions {
  /** What the rotation's record names as its cause. @default 'forced' */
  trigger?: RotationTrigger
  /**
   * `30m`, `24h`, `7d`: goes on, within the hub's attempts, while the new exit IP is one that the fleet had within this time. Needs a `hub`.
   * @default `rotate.unique` of the pool, else what the hub has for the device
   */
  unique?: string
}

const rotateDeviceOptions = z.strictObject({ trigger: rotationTrigger.default('forced'), unique: duration.optional() })

/** Checks them. Throws `MP_OPTIONS` that names every wrong one. */
export function parseRotateOptions(options: RotateDeviceOptions): z.output<typeof rotateDeviceOptions> {
  const parsed = rotateDeviceOptions.safeParse(options)
  if (parsed.success) return parsed.data
  throw optionsError("the rotation's options are wrong", parsed.error)
}
