import type { RotationFailure } from '@mobilepool/sdk/contract'
import { AgentError } from '../../errors.ts'

/** The stick's error codes that we act upon (reference: device-control.md 1.4). */
export const codes = { unsupported: 100_002, needsLogin: 100_003, busy: 100_004 } as const

/** Its token or session is not the right one (any more): get another. */
export const isSessionLost = (code: number): boolean => code === 125_001 || code === 125_002 || code === 125_003

const known = new Map<number, readonly [RotationFailure, string]>([
  [codes.unsupported, ['unsupported', 'its firmware does not have this']],
  [codes.needsLogin, ['auth_failed', 'it asks for a login: give driverOptions.password, or switch its login off']],
  [codes.busy, ['busy', 'it is busy']],
  [108_001, ['auth_failed', 'the user name is wrong']],
  [108_002, ['auth_failed', 'the password is wrong']],
  [108_003, ['auth_failed', 'somebody else is logged in']],
  [108_006, ['auth_failed', 'the user name or the password is wrong']],
  [108_007, ['auth_failed', 'there were too many wrong passwords: it refuses logins for some minutes']],
  [112_001, ['unsupported', 'the network mode cannot be changed while it is connected']],
  [112_005, ['no_registration', 'the carrier does not register it']],
  [112_008, ['sim_missing', 'its SIM is not ready']],
  [115_002, ['auth_failed', 'its password must be changed first, on its web page']],
])

/** The error for a code of the stick. */
export function refusal(code: number): AgentError {
  const [reason, meaning] = known.get(code) ?? ['device_unreachable', 'that is all it says']
  return new AgentError(reason, `The stick answered error ${code}: ${meaning}.`)
}
