import type { RotationFailure } from '@mobilepool/sdk/contract'

/**
 * What can go wrong in an agent. The reasons why a rotation fails are codes too, so that a driver says them by throwing.
 * - `bad_config`: a flag, variable or config field is wrong; the message names each
 * - `state_dir`: the state folder cannot be used, or another agent uses it
 * - `not_enrolled`: there is no device key yet and no token to get one
 * - `enroll_refused`: the hub does not take the token
 * - `hub_unreachable`: no answer, or one that says "later"
 * - `hub_unauthorized`: the hub does not know this device's key
 * - `not_running`: the command needs a running agent of the device, and there is none
 * - `hub_refused`: the hub found the request wrong, or something else than a hub answers
 */
export type AgentErrorCode =
  | RotationFailure
  | 'bad_config'
  | 'state_dir'
  | 'not_enrolled'
  | 'enroll_refused'
  | 'hub_unreachable'
  | 'hub_unauthorized'
  | 'hub_refused'
  | 'not_running'

/** The error of the agent: a stable `code`, and a message that says what to do and holds no secret. */
export class AgentError extends Error {
  override readonly name = 'AgentError'
  readonly code: AgentErrorCode

  constructor(code: AgentErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}
