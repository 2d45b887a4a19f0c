import { z } from 'zod'

/** Reply of `GET /healthz`: the process answers. */
export const healthReply = z.object({ status: z.literal('ok') })

/** Reply of `GET /readyz`: 200 when `ok`, 503 when `degraded` (heartbeats are taken all the same, and written later). */
export const readyReply = z.object({
  status: z.enum(['ok', 'degraded']),
  database: z.enum(['up', 'down']),
  /** Devices whose heartbeats wait to be written. */
  waiting: z.int().nonnegative(),
})
