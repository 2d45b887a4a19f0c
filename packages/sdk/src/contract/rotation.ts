import { z } from 'zod'
import { deviceName, deviceRef, ipAddress, label, timestamp } from './names.ts'

/** Why a rotation happens. */
export const rotationTrigger = z.enum(['interval', 'requests', 'session', 'ban', 'forced'])
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

export const rotationOutcome = rotationState.extract(['changed', 'unchanged', 'failed'])
export type RotationOutcome = z.infer<typeof rotationOutcome>

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
})
export type RotationJson = z.infer<typeof rotation>

/** Body of `POST /api/v1/admin/devices/{id}/rotate`; every field may be left out. */
export const rotateRequest = z.strictObject({
  trigger: rotationTrigger.default('forced'),
  /** The device's own choice when left out. */
  method: rotationMethod.optional(),
  /** Free text for the rotation's record, e.g. `403 from example.com`. */
  comment: label.optional(),
})

/** 202: accepted; follow it at `GET /api/v1/rotations/{id}` or by the `rotation` events. */
export const rotateReply = z.object({ rotation })

/** Reply of `GET /api/v1/rotations?limit=50&device=`: newest first. */
export const rotationList = z.object({ rotations: z.array(rotation) })

/** Body of `POST /api/v1/proxy/rotate`: one device, or the whole fleet when `device` is left out. */
export const fleetRotateRequest = rotateRequest.extend({ device: deviceRef.optional() })

/** 202: the rotations accepted, and the devices that cannot be rotated now, each with the problem's code. */
export const fleetRotateReply = z.object({
  rotations: z.array(rotation),
  refused: z.array(z.object({ device: deviceName, code: z.string(), detail: z.string() })),
})
