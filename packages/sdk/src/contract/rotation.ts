import { z } from 'zod'
import { ipSeenBefore } from './ip-history.ts'
import { deviceName, ipAddress, label, timestamp } from './names.ts'
import { duration } from './rotation-config.ts'

/** Why a rotation happens. `link`: somebody used the device's rotation link; only the hub says that. */
export const rotationTrigger = z.enum(['interval', 'requests', 'session', 'ban', 'forced', 'link'])
export type RotationTrigger = z.infer<typeof rotationTrigger>

/** How a device gets a new exit IP. */
export const rotationMethod = z.enum([
  'airplane_mode',
  'data_toggle',
  'network_reset',
  'reconnect',
  'apn_change',
  'modem_reset',
  'power_cycle',
  'device_reboot',
  'api_call',
])
export type RotationMethod = z.infer<typeof rotationMethod>

/** `queued -> draining -> rotating -> verifying -> changed | unchanged | failed`; the last three are final. */
export const rotationState = z.enum(['queued', 'draining', 'rotating', 'verifying', 'changed', 'unchanged', 'failed'])
export type RotationState = z.infer<typeof rotationState>

/** How a rotation can end: `changed` only when the hub saw another exit IP. */
export const rotationOutcome = rotationState.extract(['changed', 'unchanged', 'failed'])
export type RotationOutcome = z.infer<typeof rotationOutcome>

/** Whether a rotation in this state is over. */
export const isFinal = (state: RotationState): state is RotationOutcome =>
  state === 'changed' || state === 'unchanged' || state === 'failed'

/** Why a rotation failed. */
export const rotationFailure = z.enum([
  'device_unreachable',
  'permission_denied',
  'unsupported',
  'sim_missing',
  'sim_locked',
  'no_registration',
  'no_data_session',
  'probe_failed',
  'egress_leak',
  'stuck_offline',
  'deadline_exceeded',
  'busy',
  'too_soon',
  'auth_failed',
  'canceled',
])
export type RotationFailure = z.infer<typeof rotationFailure>

/** Why an attempt was made: the first, one more after one that brought nothing, or one more because the IP had been seen before. */
export const attemptCause = z.enum(['asked', 'retry', 'unique'])
export type AttemptCause = z.infer<typeof attemptCause>

/** One attempt of a rotation; its outcome is null while it runs. */
export const rotationAttempt = z.object({
  number: z.int().positive(),
  cause: attemptCause,
  method: rotationMethod.nullable(),
  outcome: rotationOutcome.nullable(),
  old_ip: ipAddress.nullable(),
  new_ip: ipAddress.nullable(),
  reason: rotationFailure.nullable(),
  detail: z.string().max(500).nullable(),
  started_at: timestamp,
  ended_at: timestamp.nullable(),
})
export type RotationAttemptJson = z.infer<typeof rotationAttempt>

/** One rotation, running or ended. */
export const rotation = z.object({
  id: z.uuid(),
  device_id: z.uuid(),
  device_name: deviceName,
  trigger: rotationTrigger,
  /** Null until the device has said how it did it. */
  method: rotationMethod.nullable(),
  state: rotationState,
  old_ip: ipAddress.nullable(),
  new_ip: ipAddress.nullable(),
  reason: rotationFailure.nullable(),
  /** One sentence for people; never a secret. */
  detail: z.string().max(500).nullable(),
  created_at: timestamp,
  ended_at: timestamp.nullable(),
  /** From the request to the final state, waiting and drain included. */
  duration_ms: z.int().nonnegative().nullable(),
  /** Attempts begun. Between two the state is `queued` again. */
  attempt: z.int().nonnegative().optional(),
  max_attempts: z.int().positive().optional(),
  /** The next attempt does not begin before. */
  not_before: timestamp.nullable().optional(),
  /** The new exit IP must not have been seen for this long. */
  unique: duration.nullable().optional(),
  /** Shared by the rotations of one "rotate all". */
  batch_id: z.uuid().nullable().optional(),
  /**
   * Whether the device had the new exit IP before this rotation: how often, and until when; null: it had not, or the IP did not change.
   * Only where rotations are asked for: `GET /api/v1/rotations` and `/rotations/{id}`.
   */
  ip_seen_before: ipSeenBefore.nullable().optional(),
  /** Only where one rotation is asked for. */
  attempts: z.array(rotationAttempt).optional(),
})
export type RotationJson = z.infer<typeof rotation>

/** Body of `POST /api/v1/admin/devices/{id}/rotate`; every field may be left out. */
export const rotateRequest = z.strictObject({
  trigger: rotationTrigger.exclude(['link']).default('forced'),
  /** The device's own choice when left out. */
  method: rotationMethod.optional(),
  /** Free text for the rotation's record, e.g. `403 from example.com`. */
  comment: label.optional(),
  /** Rotate again, within the attempts, while the new exit IP was seen within this time. @default the device's `rotation_unique` */
  unique: duration.optional(),
})

/** 202: accepted; follow it at `GET /api/v1/rotations/{id}` or by the `rotation` events. */
export const rotateReply = z.object({ rotation })

/** Reply of `GET /api/v1/rotations?limit=50&device=&state=&trigger=&batch=&after=`: newest first. */
export const rotationList = z.object({
  rotations: z.array(rotation),
  /** For `?after=`; null: there are no older ones. */
  next: z.uuid().nullable().optional(),
})

/** `GET /api/v1/rotations/batches/{id}`: how far a "rotate all" is. */
export const rotationBatch = z.object({
  id: z.uuid(),
  total: z.int().nonnegative(),
  ended: z.int().nonnegative(),
  counts: z.record(rotationState, z.int().nonnegative()),
})

/** 202: the rotations accepted, and the devices that cannot be rotated now, each with the problem's code. */
export const fleetRotateReply = z.object({
  rotations: z.array(rotation),
  refused: z.array(z.object({ device: deviceName, code: z.string(), detail: z.string() })),
  /** Of a "rotate all": see `GET /api/v1/rotations/batches/{id}`. */
  batch_id: z.uuid().nullable().optional(),
})
