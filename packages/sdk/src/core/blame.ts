import type { AttemptKind } from '../errors.ts'

/**
 * Whose fault an attempt's outcome is.
 *
 * - `device`: certainly the device's (its proxy cannot be reached, refuses our credentials, has no connection).
 * - `suspect`: the device's or the target's; what another device then got for the same request tells which.
 * - `target`: the target's, as a device of ours says itself, unless another device then got an answer.
 * - `hang`: a suspect that cost the caller a whole time-out.
 * - `nobody`: a proper answer, the caller's own doing, or a rotation.
 */
export type Blame = 'device' | 'suspect' | 'target' | 'hang' | 'nobody'

export const blameOf: Readonly<Record<AttemptKind, Blame>> = {
  answered: 'nobody',
  banned: 'nobody',
  target_error: 'suspect',
  // Its connection goes on, and is judged by what it comes to.
  hedged: 'nobody',
  draining: 'nobody',
  device_offline: 'device',
  device_auth: 'device',
  device_connect: 'device',
  // Some proxies hang up when they cannot reach the target.
  tunnel_dropped: 'suspect',
  tunnel_refused: 'suspect',
  target_unreachable: 'target',
  tunnel_timeout: 'hang',
  target_tls: 'suspect',
  no_response: 'suspect',
  response_timeout: 'hang',
  response_broken: 'suspect',
  rotated: 'nobody',
  aborted: 'nobody',
  caller: 'nobody',
}
