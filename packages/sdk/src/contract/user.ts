import { z } from 'zod'
import { timestamp } from './names.ts'

/** `admin` may do everything, `user` sees the fleet, uses it, and sees and changes only what is his own. */
export const userRole = z.enum(['admin', 'user'])
export type UserRole = z.infer<typeof userRole>

/** A name to log in with; upper and lower case are the same. */
export const username = z
  .string()
  .trim()
  .min(1, 'is empty')
  .max(100, 'is longer than 100 characters')
  .regex(/^[\p{L}\p{N}][\p{L}\p{N}._@-]*$/u, 'may hold only letters, digits, ".", "_", "@" and "-", and begins with a letter or digit')

/** bcrypt reads 72 bytes and no more: a longer password is refused rather than cut in silence. */
export const PASSWORD_MAX_BYTES = 72

/** A new password. */
export const newPassword = z
  .string()
  .min(10, 'must have at least 10 characters')
  .refine((text) => new TextEncoder().encode(text).length <= PASSWORD_MAX_BYTES, `must have at most ${PASSWORD_MAX_BYTES} bytes`)
  .regex(/^\P{Cc}*$/u, 'may not hold control characters')

/** Requests of one quota period; null: any number. */
export const requestsLimit = z.int().min(0, 'must be 0 or more').max(1_000_000_000_000, 'must be at most 1000000000000').nullable()

/** The specification's `requests_limit` of a user that is made without one. */
export const DEFAULT_REQUESTS_LIMIT = 10_000

/** Body of `POST /api/v1/users`. */
export const userCreate = z.strictObject({
  username,
  email: z.email('must be an e-mail address').max(255).nullable().default(null),
  password: newPassword,
  role: userRole.default('user'),
  /** Left out: 10,000 for a user, any number for an admin. */
  requests_limit: requestsLimit.optional(),
})

/** Body of `PATCH /api/v1/users/{id}`: what is given is changed. */
export const userUpdate = z
  .strictObject({
    username: username.optional(),
    email: z.email('must be an e-mail address').max(255).nullable().optional(),
    /** Ends the user's sessions. */
    password: newPassword.optional(),
    /** Ends the user's sessions. */
    role: userRole.optional(),
    /** `false` ends the user's sessions and stops his keys. */
    is_active: z.boolean().optional(),
    requests_limit: requestsLimit.optional(),
    /** 0 begins the period anew. */
    requests_used: z.literal(0, 'can only be set to 0').optional(),
  })
  .refine((body) => Object.keys(body).length > 0, 'names nothing to change')

/** A user, never his password or its hash. */
export const user = z.object({
  id: z.uuid(),
  username: z.string(),
  email: z.string().nullable(),
  role: userRole,
  is_active: z.boolean(),
  requests_limit: z.number().nullable(),
  requests_used: z.number(),
  /** When `requests_used` begins anew; null: never by itself. */
  requests_reset_at: timestamp.nullable(),
  last_login_at: timestamp.nullable(),
  created_at: timestamp,
  updated_at: timestamp,
})
export type UserJson = z.infer<typeof user>

/** Reply of `GET /api/v1/users`. */
export const userList = z.object({ users: z.array(user) })
