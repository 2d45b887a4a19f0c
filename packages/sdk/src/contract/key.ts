import { z } from 'zod'
import { deviceRef, label, timestamp } from './names.ts'
import { requestsLimit } from './user.ts'

/**
 * What an API key may do: `admin` everything, `proxy` what a parser needs, `read` look at states and figures without any secret in them
 * (a screen on the wall, Prometheus), `device` what one agent needs for its own device.
 */
export const keyScope = z.enum(['admin', 'proxy', 'read', 'device'])
export type KeyScope = z.infer<typeof keyScope>

/** Requests to the API a minute; null: the hub's setting. */
const rateLimit = z.int().min(1, 'must be 1 to 1000000').max(1_000_000, 'must be 1 to 1000000').nullable()

/** Body of `POST /api/v1/keys`. */
export const keyCreate = z
  .strictObject({
    /** For people: what the key is for. */
    name: label,
    scope: keyScope,
    /** The one device that a `device` key speaks for. */
    device: deviceRef.optional(),
    /** Whose it shall be (admins only); left out: the asker's own. */
    user_id: z.uuid().optional(),
    expires_at: timestamp.nullable().default(null),
    rate_limit: rateLimit.default(null),
    requests_limit: requestsLimit.default(null),
  })
  .refine((body) => (body.scope === 'device') === (body.device !== undefined), {
    path: ['device'],
    error: 'goes with the scope "device", and only with it',
  })

/** Body of `PATCH /api/v1/keys/{id}` (admins only). */
export const keyUpdate = z
  .strictObject({
    name: label.optional(),
    expires_at: timestamp.nullable().optional(),
    rate_limit: rateLimit.optional(),
    requests_limit: requestsLimit.optional(),
    /** 0 begins the period anew. */
    requests_used: z.literal(0, 'can only be set to 0').optional(),
  })
  .refine((body) => Object.keys(body).length > 0, 'names nothing to change')

/** A key as the hub lists it: never the key itself. */
export const apiKey = z.object({
  id: z.uuid(),
  name: label,
  scope: keyScope,
  /** The key's first characters, to recognise it by. */
  prefix: z.string(),
  device_id: z.uuid().nullable(),
  /** Whose it is; null: nobody's in particular. */
  user_id: z.uuid().nullable(),
  created_at: timestamp,
  expires_at: timestamp.nullable(),
  revoked_at: timestamp.nullable(),
  /** To some ten seconds. */
  last_used_at: timestamp.nullable(),
  rate_limit: z.number().nullable(),
  requests_limit: z.number().nullable(),
  requests_used: z.number(),
})
export type ApiKeyJson = z.infer<typeof apiKey>

/** The key is shown this once. */
export const keyCreateReply = apiKey.extend({ key: z.string() })

/** Reply of `GET /api/v1/keys`. */
export const keyList = z.object({ keys: z.array(apiKey) })
