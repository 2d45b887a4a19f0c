import { AgentError } from '../errors.ts'

/** What one check of the doctor found. */
export interface Finding {
  readonly check: string
  /** `warn`: it works, but not as well as it should; `skip`: it could not be looked at because of another finding. */
  readonly verdict: 'ok' | 'warn' | 'fail' | 'skip'
  readonly says: string
  /** What to do about it; null where nothing is to be done. */
  readonly mend: string | null
}

export const ok = (check: string, says: string): Finding => ({ check, verdict: 'ok', says, mend: null })
export const warn = (check: string, says: string, mend: string): Finding => ({ check, verdict: 'warn', says, mend })
export const fail = (check: string, says: string, mend: string): Finding => ({ check, verdict: 'fail', says, mend })
export const skip = (check: string, says: string): Finding => ({ check, verdict: 'skip', says, mend: null })

/** What an error says, without what only programmers read. */
export const reasonOf = (error: unknown): string => {
  if (error instanceof AgentError) return error.message
  const { code, message } = error as { code?: unknown; message?: unknown }
  return typeof code === 'string' ? code : String(message ?? error)
}
