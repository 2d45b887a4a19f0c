import { type CommandReportJson, type RotationFailure, type RotationMethod, rotationFailure } from '@mobilepool/sdk/contract'
import { AgentError } from '../errors.ts'

/** What a rotation knows so far. */
export interface RotationFacts {
  readonly method: RotationMethod | null
  readonly oldIp: string | null
  readonly newIp: string | null
}

/** How a rotation ended. `unchanged` is a result of its own, not a failure. */
export type RotationResult =
  | (RotationFacts & { readonly state: 'changed' | 'unchanged'; readonly detail: string | null })
  | (RotationFacts & { readonly state: 'failed'; readonly reason: RotationFailure; readonly detail: string })

/** What an error means as the end of a rotation. */
export function failed(error: unknown, facts: RotationFacts): RotationResult {
  const reason = rotationFailure.safeParse(error instanceof AgentError ? error.code : null)
  if (reason.success) return { ...facts, state: 'failed', reason: reason.data, detail: (error as AgentError).message }
  const detail = error instanceof AgentError ? error.message : 'The driver failed in a way that it does not know.'
  return { ...facts, state: 'failed', reason: 'device_unreachable', detail }
}

const MAX_DETAIL = 500

/** The result as the hub is told. */
export const reportOf = (result: RotationResult): CommandReportJson => ({
  state: result.state,
  method: result.method,
  old_ip: result.oldIp,
  new_ip: result.newIp,
  reason: result.state === 'failed' ? result.reason : null,
  detail: result.detail?.slice(0, MAX_DETAIL) ?? null,
})
