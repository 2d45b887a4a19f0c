import { z } from 'zod'
import { label } from '../contract/index.ts'
import type { OnIpChange } from '../core/sessions.ts'
import { count, ms } from '../options/numbers.ts'
import { optionsError } from '../options/parse-options.ts'
import type { FilterOptions } from '../options/pool-options.ts'
import { filterOptions, oneOrMore } from '../options/schema.ts'

/** How a session behaves. */
export interface SessionOptions {
  /**
   * What happens when the exit IP of its device changes. `follow`: it stays with the device. `move`: it goes to another device.
   * `fail`: its requests fail with `MP_SESSION_IP_CHANGED` until `renew()`. @default 'follow'
   */
  onIpChange?: OnIpChange
  /** It ends when no request came for so long. @default 1800000 */
  ttlMs?: number
}

/** What requests ask of the pool. Everything left out is as the pool has it. */
export interface ViewOptions {
  /** Attributes that their devices must have. */
  filter?: FilterOptions
  /** Only these devices, by id or name. */
  devices?: string | readonly string[]
  /** Not these devices, by id or name. */
  exclude?: string | readonly string[]
  /** Stays on one device: the key of a session, as `pool.session()` has it. */
  session?: string | ({ key: string } & SessionOptions)
  /** Who waits with a higher number is served first. A whole number from -100 to 100. @default 0 */
  priority?: number
  /** What the balancer `ip-hash` hashes. @default the site */
  hashKey?: string
  /** How long to wait for a device. @default the pool's `queue.timeoutMs` */
  queueTimeoutMs?: number
  /** `false`: one attempt, never another device. An object: what is other than in the pool's `retry`. */
  retry?: false | { attempts?: number; methods?: 'idempotent' | 'all' }
  /** `false`: a ban answer is an answer like any other: it is delivered, and nothing is remembered. */
  ban?: false
  /** `false`: no second device is asked while the first one connects. */
  hedge?: false
  /** `false`: not answered from the pool's cache, and not kept there. */
  cache?: false
}

/** Defaults of `SessionOptions`. */
export const sessionDefaults = { onIpChange: 'follow', ttlMs: 1_800_000 } as const

const text = z.string().min(1, 'is empty').max(512, 'must be at most 512 characters')
const sessionFields = {
  onIpChange: z.enum(['follow', 'move', 'fail'], "must be 'follow', 'move' or 'fail'").default(sessionDefaults.onIpChange),
  ttlMs: ms().default(sessionDefaults.ttlMs),
}
const session = z.preprocess(
  (value) => (typeof value === 'string' ? { key: value } : value),
  z.strictObject({ key: text, ...sessionFields }),
)

/** Schema of `ViewOptions`. */
export const viewOptions = z.strictObject({
  filter: filterOptions.optional(),
  devices: oneOrMore(label).optional(),
  exclude: oneOrMore(label).optional(),
  session: session.optional(),
  priority: count(-100, 100).optional(),
  hashKey: text.optional(),
  queueTimeoutMs: ms().optional(),
  retry: z
    .union(
      [z.literal(false), z.strictObject({ attempts: count(1, 20).optional(), methods: z.enum(['idempotent', 'all']).optional() })],
      'must be false or an object',
    )
    .optional(),
  ban: z.literal(false, 'can only be false').optional(),
  hedge: z.literal(false, 'can only be false').optional(),
  cache: z.literal(false, 'can only be false').optional(),
})

/** Options of a view, checked. */
export type ViewSettings = z.output<typeof viewOptions>

/** Checks the options of a view. Throws `MP_OPTIONS` that names every wrong one. */
export function parseView(options: ViewOptions): ViewSettings {
  const parsed = viewOptions.safeParse(options)
  if (parsed.success) return parsed.data
  throw optionsError("the view's options are wrong", parsed.error)
}
