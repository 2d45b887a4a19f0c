import type {
  AttemptCause,
  RotationFailure,
  RotationHttpMethod,
  RotationMethod,
  RotationOutcome,
  RotationState,
  RotationTrigger,
} from '@mobilepool/sdk/contract'
import type { Generated } from 'kysely'

/** How devices are rotated, and how that went. */
export interface RotationTables {
  rotation_config: {
    device_id: string
    rotation_method: RotationMethod | null
    /** Seconds. */
    rotation_interval: number
    auto_rotation: Generated<boolean>
    /** Sealed, as are token, headers and body. */
    rotation_url: string | null
    auth_token: string | null
    rotation_http_method: Generated<RotationHttpMethod>
    rotation_headers: string | null
    rotation_body: string | null
    rotation_success_pattern: string | null
    rotation_attempts: number | null
    /** Seconds, as is the next one. */
    rotation_retry_delay: number | null
    rotation_max_time: number | null
    rotation_unique: string | null
    changed_count: Generated<number>
    unchanged_count: Generated<number>
    failed_count: Generated<number>
    last_successful_rotation: Date | null
    updated_at: Generated<Date>
  }
  rotations: {
    id: string
    device_id: string
    trigger: RotationTrigger
    /** What was asked for; null: the device's own choice. */
    requested_method: RotationMethod | null
    /** How it was done, as the device reported it. */
    method: RotationMethod | null
    state: RotationState
    old_ip: string | null
    new_ip: string | null
    reason: RotationFailure | null
    detail: string | null
    comment: string | null
    created_at: Date
    /** When it left `queued`. */
    started_at: Date | null
    deadline_at: Date | null
    ended_at: Date | null
    /** Attempts begun. */
    attempt: Generated<number>
    max_attempts: Generated<number>
    /** The next attempt does not begin before. */
    not_before: Date | null
    unique_within: string | null
    batch_id: string | null
  }
  rotation_attempts: {
    /** The first one's is the rotation's. */
    id: string
    rotation_id: string
    number: number
    cause: AttemptCause
    method: RotationMethod | null
    /** Null while it runs. */
    outcome: RotationOutcome | null
    old_ip: string | null
    new_ip: string | null
    reason: RotationFailure | null
    detail: string | null
    /** What was seen of the device before: its heartbeats' addresses, and what was measured through its proxy. */
    before_v4: string | null
    before_v6: string | null
    before_probed: string | null
    started_at: Date
    /** When the hub set out to call the rotation URL. */
    called_at: Date | null
    ended_at: Date | null
  }
  /** Plain URLs that rotate one device each; what signs them is SECRET_KEY. */
  rotation_links: {
    id: string
    device_id: string
    name: string
    created_at: Date
    revoked_at: Date | null
    last_used_at: Date | null
    used_count: Generated<number>
  }
}
