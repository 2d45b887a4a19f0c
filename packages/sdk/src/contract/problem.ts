import { z } from 'zod'

/**
 * Every problem the hub answers with: its stable `code`, HTTP status and title. RFC 9457.
 * The one registry: routes name a code, clients switch on it, the error page of the docs is generated from it.
 */
export const problems = {
  bad_request: { status: 400, title: 'The request is not valid' },
  unauthorized: { status: 401, title: 'A key is needed' },
  login_failed: { status: 401, title: 'The name or the password is wrong' },
  forbidden: { status: 403, title: 'This key may not do that' },
  address_blocked: { status: 403, title: 'Requests from this address are not taken for now' },
  not_found: { status: 404, title: 'There is no such thing' },
  method_not_allowed: { status: 405, title: 'That is not done this way' },
  device_exists: { status: 409, title: 'A device of that name exists already' },
  user_exists: { status: 409, title: 'A user of that name or e-mail address exists already' },
  last_admin: { status: 409, title: 'Nobody could administer the hub any more' },
  setting_fixed: { status: 409, title: 'This setting is given where the hub is started' },
  device_limit: { status: 409, title: 'The limit on the number of devices is reached' },
  rotation_running: { status: 409, title: 'A rotation of this device is under way' },
  rotation_unsupported: { status: 409, title: 'The hub has no way to rotate this device' },
  restart_unsupported: { status: 409, title: 'The hub has no way to restart this device' },
  tunnel_stale: { status: 409, title: 'A newer session of this tunnel is there already' },
  body_too_large: { status: 413, title: 'The request body is too large' },
  unsupported_media_type: { status: 415, title: 'The request body must be JSON' },
  upgrade_required: { status: 426, title: 'This is spoken over another protocol' },
  rotation_too_soon: { status: 429, title: 'The device was rotated a moment ago' },
  quota_exhausted: { status: 429, title: 'The request quota is used up' },
  too_many_requests: { status: 429, title: 'Too many requests' },
  internal: { status: 500, title: 'The hub failed; its log says why' },
  no_device: { status: 503, title: 'No device can be used now' },
  heartbeat_not_stored: { status: 503, title: 'The heartbeat is not in the database' },
  database_down: { status: 503, title: 'The database does not answer' },
} as const satisfies Record<string, { status: number; title: string }>

/** One of `problems`: `code` of a problem document. */
export type ProblemCode = keyof typeof problems

/** `application/problem+json` */
export const problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  code: z.enum(Object.keys(problems) as [ProblemCode, ...ProblemCode[]]),
  detail: z.string(),
  instance: z.string().optional(),
  /** Which field is wrong and what would be right. */
  errors: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
  /** Seconds, as in the `Retry-After` header. */
  retry_after: z.int().nonnegative().optional(),
  /** The rotation that is in the way. */
  rotation_id: z.uuid().optional(),
})
export type ProblemJson = z.infer<typeof problem>
