import { z } from 'zod'

/** A setting as people give it: seconds where it is a time, null where it is not set. */
export const settingValue = z.union([z.string().max(1000), z.number(), z.boolean(), z.array(z.string().max(200)).max(1000)]).nullable()

/** One setting of the hub. */
export const setting = z.object({
  /** Its environment name. */
  name: z.string(),
  help: z.string(),
  /** What is in force; null for secrets, whatever they are. */
  value: settingValue,
  default: settingValue,
  /** The first of these that gives a value: command line, environment, the program that holds the hub, database, default. */
  source: z.enum(['flag', 'environment', 'program', 'database', 'default']),
  /** When a change of it counts; `fixed`: it is changed only where the hub is started. */
  takes_effect: z.enum(['at_once', 'restart', 'fixed']),
  /** What will be in force after the next start, where that is something else. */
  pending: settingValue.optional(),
})
export type SettingJson = z.infer<typeof setting>

/** Reply of `GET` and `PATCH /api/v1/config`. */
export const settingList = z.object({ settings: z.array(setting) })

/** Body of `PATCH /api/v1/config`: values by environment name; null goes back to the default. */
export const settingUpdate = z.strictObject({
  settings: z.record(z.string().max(100), settingValue).refine((settings) => Object.keys(settings).length > 0, 'names nothing to change'),
})
