import { z } from 'zod'
import { ipAddress, timestamp } from './names.ts'

/** Records of one batch, at most: with the longest targets well below the hub's limit for a body. */
export const USAGE_BATCH_MAX = 500

/** One attempt of a request through a device. */
export const usageRecord = z.strictObject({
  device_id: z.uuid(),
  exit_ip: ipAddress.nullable(),
  /** Host name of the target, or host and path (never a query); null where the parser keeps it to itself. */
  target: z.string().min(1).max(1000).nullable(),
  method: z.string().regex(/^[A-Za-z-]{1,20}$/, 'must be an HTTP method'),
  status: z.int().min(100).max(599).nullable(),
  /** What the attempt came to, as the SDK's `AttemptKind` names it: `answered`, `banned`, `tunnel_timeout`, ... */
  outcome: z.string().regex(/^[a-z][a-z_]{0,39}$/, 'must be a name like tunnel_timeout'),
  /** 1 for the first attempt of its request. */
  attempt: z.int().min(1).max(100),
  /** Bytes of the request body. */
  bytes_out: z.int().nonnegative(),
  /** Bytes of the response body. */
  bytes_in: z.int().nonnegative(),
  /** From its start to the head of the response, or to its failure. */
  duration_ms: z.int().nonnegative().max(2_147_483_647),
  /** When it began. */
  at: timestamp,
  /** What went wrong, for people; never a secret. */
  error: z.string().max(500).nullish(),
  /** `User-Agent` that the target was shown. */
  user_agent: z.string().max(500).nullish(),
  /** It went through the hub's gateway, which has counted it against the quota: it is not counted again. */
  through: z.literal('gateway').nullish(),
  /** Sticky key of the request's session. */
  session: z
    .string()
    .min(1)
    .max(100)
    .regex(/^\P{C}*$/u, 'may not hold control characters')
    .nullish(),
})
export type UsageRecordJson = z.infer<typeof usageRecord>

/** Records of one NDJSON batch, at most. */
export const USAGE_LINES_MAX = 5_000

/**
 * Body of `POST /api/v1/usage`. A batch that is sent again under its id counts once.
 * The same as `application/x-ndjson`, a record a line, with the id in the query: `?id=UUID`; up to `USAGE_LINES_MAX` lines.
 */
export const usageBatch = z.strictObject({ id: z.uuid(), records: z.array(usageRecord).min(1).max(USAGE_BATCH_MAX) })
export type UsageBatchJson = z.infer<typeof usageBatch>

/** Stored is what names a device that the hub knows. `duplicate`: the batch was here before, and nothing was stored now. */
export const usageReply = z.object({ stored: z.int().nonnegative(), unknown_devices: z.int().nonnegative(), duplicate: z.boolean() })
