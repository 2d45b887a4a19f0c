import type { KeyScope } from '@mobilepool/sdk/contract'

/** Who speaks: the holder of an API key, or a user who is logged in. */
export interface Caller {
  /** What rate limits and open streams go by: the key's id, or the session's. */
  id: string
  /** For people: the key's name, or the user's. */
  name: string
  /** Null for a user who is logged in. */
  keyId: string | null
  scope: KeyScope
  /** The device that a `device` key speaks for. */
  deviceId: string | null
  /** The user who is logged in, or whose key it is. */
  userId: string | null
  /** The login; null for a key. */
  sessionId: string | null
  /** Requests to the API a minute that are the caller's own; null: the hub's setting. */
  rateLimit: number | null
}
