import { z } from 'zod'
import { keyScope } from './key.ts'
import { timestamp } from './names.ts'
import { newPassword, user } from './user.ts'

/** Body of `POST /api/v1/auth/login`. */
export const loginRequest = z.strictObject({ username: z.string().min(1).max(255), password: z.string().min(1).max(1000) })

/** Reply of `auth/login`, `auth/refresh` and `auth/password`: a token for `Authorization: Bearer`; the refresh cookie comes with it. */
export const loginReply = z.object({
  access_token: z.string(),
  token_type: z.literal('Bearer'),
  /** Seconds. */
  expires_in: z.int().positive(),
  expires_at: timestamp,
  user,
})
export type LoginReplyJson = z.infer<typeof loginReply>

/** Body of `POST /api/v1/auth/password`. */
export const passwordChange = z.strictObject({ current_password: z.string().min(1).max(1000), new_password: newPassword })

/** Reply of `GET /api/v1/auth/me`: who the hub takes the asker for. */
export const meReply = z.object({
  /** What the asker may do. */
  scope: keyScope,
  /** The user that is logged in, or whose key it is. */
  user: user.nullable(),
  /** The API key that was used. */
  key: z.object({ id: z.uuid(), name: z.string(), expires_at: timestamp.nullable() }).nullable(),
})
