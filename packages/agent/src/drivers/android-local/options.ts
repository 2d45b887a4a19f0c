import { z } from 'zod'

/** Options of the `android-local` driver: the phone that the agent itself runs on. */
export const androidLocalOptions = z.strictObject({
  /** Name of the cellular interface, like `rmnet_data0`. @default the first that is named as chipsets name theirs */
  interface: z.string().min(1).max(15).optional(),
  /** What gives the rights that an app has not: `su` (root) or `rish` (Shizuku). @default the first of the two that works */
  shell: z.enum(['su', 'rish']).optional(),
  /** How long it stays off, in ms: the tries of a rotation, in order. @default [5000, 15000, 45000] */
  holdsMs: z.array(z.int().min(0).max(600_000)).min(1).max(10).default([5_000, 15_000, 45_000]),
})
