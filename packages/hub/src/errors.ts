import type { ProblemCode } from '@mobilepool/sdk/contract'

/** Why a hub did not start; `ProblemCode` (the contract) says why a request was not served. */
export type StartCode =
  | 'config_invalid'
  | 'port_in_use'
  | 'address_unavailable'
  | 'data_dir_locked'
  | 'data_dir_unusable'
  | 'database_unreachable'
  | 'secret_key_wrong'
  | 'hub_at_work'
  | 'no_admin_key'
  | 'database_not_empty'
  | 'backup_unusable'

/** What a problem document may carry besides its code and sentence. */
export interface ProblemExtras {
  /** When to try again, seconds. */
  retryAfter?: number
  /** The rotation that is in the way. */
  rotationId?: string
  /** Which field is wrong and what would be right. */
  errors?: { field: string; message: string }[]
}

/** An expected no: a value that rules return, turned into a problem document at the border. */
export interface Refusal extends ProblemExtras {
  code: ProblemCode
  /** One sentence: what is in the way and what to do. */
  detail: string
}

/** The one error of this package. Its message says what to do and never holds a secret. */
export class HubError extends Error {
  override readonly name = 'HubError'
  readonly code: ProblemCode | StartCode
  readonly extras: ProblemExtras

  constructor(code: ProblemCode | StartCode, message: string, options: ProblemExtras & { cause?: unknown } = {}) {
    const { cause, ...extras } = options
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.extras = extras
  }
}

/** For the places where a refusal must unwind: `throw refused(refusal)`. */
export const refused = ({ code, detail, ...extras }: Refusal): HubError => new HubError(code, detail, extras)
