import { z } from 'zod'
import { deviceRef, label, timestamp } from './names.ts'

/** What an API key may do: `admin` everything, `proxy` what a parser needs, `device` what one agent needs for its own device. */
export const keyScope = z.enum(['admin', 'proxy', 'device'])
export type KeyScope = z.infer<typeof keyScope>

/** Body of `POST /api/v1/keys` (admin). */
export const keyCreate = z
  .strictObject({
    /** For people: whose key it is. */
    name: label,
    scope: keyScope,
    /** The one device that a `device` key speaks for. */
    device: deviceRef.optional(),
  })
  .refine((body) => (body.scope === 'device') === (body.device !== undefined), {
    path: ['device'],
    error: 'goes with the scope "device", and only with it',
  })

/** A key as the hub lists it: never the key itself. */
export const apiKey = z.object({
  id: z.uuid(),
  name: label,
  scope: keyScope,
  /** The key's first characters, to recognise it by. */
  prefix: z.string(),
  device_id: z.uuid().nullable(),
  created_at: timestamp,
  revoked_at: timestamp.nullable(),
})
export type ApiKeyJson = z.infer<typeof apiKey>

/** The key is shown this once. */
export const keyCreateReply = apiKey.extend({ key: z.string() })

/** Reply of `GET /api/v1/keys`. */
export const keyList = z.object({ keys: z.array(apiKey) })
