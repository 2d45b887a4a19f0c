import type { KeyScope, UserRole } from '@mobilepool/sdk/contract'
import type { Generated } from 'kysely'

/** Who may do what, and who did: the tables of migration 0003-accounts. `changed_at` is the database's clock, for the other hubs. */
export interface AccountTables {
  users: {
    id: string
    username: string
    email: string | null
    /** bcrypt. */
    password_hash: string
    role: UserRole
    is_active: boolean
    /** Requests of one quota period; null: any number. */
    requests_limit: number | null
    requests_used: number
    /** The period that `requests_used` counts began no later than this. */
    requests_since: Date
    /** Access tokens of an older version are worthless. */
    token_version: number
    last_login_at: Date | null
    created_at: Date
    updated_at: Date
    changed_at: Generated<Date>
  }
  /** One login each, with the refresh token that is good now: a family of tokens, of which each is used once. */
  sessions: {
    id: string
    user_id: string
    /** SHA-256, hex. */
    token_hash: string
    previous_hash: string | null
    rotated_at: Date | null
    address: string | null
    user_agent: string | null
    created_at: Date
    expires_at: Date
    revoked_at: Date | null
    revoked_because: string | null
  }
  api_keys: {
    id: string
    name: string
    scope: KeyScope
    /** First characters, shown in lists. */
    prefix: string
    /** SHA-256, hex. */
    key_hash: string
    device_id: string | null
    /** Whose it is; null: nobody's, made by an admin key or the command line. */
    user_id: string | null
    created_at: Date
    expires_at: Date | null
    revoked_at: Date | null
    last_used_at: Date | null
    last_used_from: string | null
    /** Requests to the API a minute; null: the hub's setting. */
    rate_limit: number | null
    requests_limit: number | null
    requests_used: Generated<number>
    requests_since: Generated<Date>
    changed_at: Generated<Date>
  }
  audit_log: {
    id: Generated<number>
    created_at: Date
    actor_kind: string
    actor_id: string | null
    actor_name: string | null
    address: string | null
    action: string
    method: string | null
    route: string | null
    subject: string | null
    status: number | null
    fields: string[]
    request_id: string | null
  }
  address_blocks: {
    /** An IPv4 address, or an IPv6 /64 as its first four groups. */
    address: string
    reason: string
    /** How often it was blocked; each time for longer. */
    times: number
    created_at: Date
    until_at: Date
    lifted_at: Date | null
  }
}
