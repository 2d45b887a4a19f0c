import { z } from 'zod'
import { ipAddress, timestamp } from './names.ts'

/** Query of `GET /api/v1/audit`: every filter that is given must hold. */
export const auditQuery = z.object({
  /** Id of a user or a key. */
  actor: z.uuid().optional(),
  /** Id or name of what it was done to. */
  subject: z.string().min(1).max(255).optional(),
  /** A part of the action, like `/keys` or `login`. */
  action: z.string().min(1).max(150).optional(),
  address: ipAddress.optional(),
  from: timestamp.optional(),
  to: timestamp.optional(),
  /** `true`: only what was refused or failed. */
  failed: z.enum(['true', 'false']).optional(),
  limit: z.coerce.number().int().min(1).max(500).default(100),
  /** `next` of the page before. */
  after: z.coerce.number().int().positive().optional(),
})

/** Who did something: an API key, a user, the command line, the hub itself, or nobody known. */
export const actorKind = z.enum(['key', 'user', 'cli', 'hub', 'anonymous'])

/** One line of the audit log. */
export const auditEntry = z.object({
  id: z.number(),
  at: timestamp,
  actor: z.object({ kind: actorKind, id: z.uuid().nullable(), name: z.string().nullable() }),
  address: z.string().nullable(),
  /** `POST /api/v1/keys`, `cli create-user`. */
  action: z.string(),
  /** What it was done to: an id or a name. */
  subject: z.string().nullable(),
  /** HTTP status of the answer; null for the command line. */
  status: z.number().nullable(),
  /** Names of the fields that were given; never their values. */
  fields: z.array(z.string()),
  /** The request's id, as in `X-Request-Id` and in the hub's log. */
  request_id: z.uuid().nullable(),
})
export type AuditEntryJson = z.infer<typeof auditEntry>

/** Reply of `GET /api/v1/audit`, newest first. */
export const auditPage = z.object({
  entries: z.array(auditEntry),
  /** For `after` of the next page; null: this was the last one. */
  next: z.number().nullable(),
})
