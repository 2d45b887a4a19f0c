import type { DeviceKind, DeviceType, RotationFailure, RotationMethod, RotationState, RotationTrigger } from '@mobilepool/sdk/contract'
import type { Generated } from 'kysely'
import type { AccountTables } from './tables/accounts.ts'

/**
 * The tables as they stand after all migrations. Names are the specifications'; times are `timestamptz`.
 * A device's `status` is derived (fleet/status.ts), so no column holds it.
 */
export interface Tables extends AccountTables {
  proxy_devices: {
    id: string
    name: string
    kind: DeviceKind
    device_type: DeviceType
    /** Null while the name is only pending. */
    adopted_at: Date | null
    maintenance: Generated<boolean>
    proxy_scheme: string | null
    /** Host of the device's proxy. */
    ip_address: string | null
    port: number | null
    /** `user:password` of the device's proxy, sealed. */
    proxy_auth: string | null
    operator: string | null
    region: string | null
    tags: Generated<string[]>
    weight: Generated<number>
    /** What the agent's driver can do, best first. */
    methods: Generated<RotationMethod[]>
    agent_version: string | null
    created_at: Date
    updated_at: Date
  }
  rotation_config: {
    device_id: string
    rotation_method: RotationMethod | null
    /** Seconds. */
    rotation_interval: number
    auto_rotation: Generated<boolean>
    changed_count: Generated<number>
    unchanged_count: Generated<number>
    failed_count: Generated<number>
    last_successful_rotation: Date | null
    updated_at: Generated<Date>
  }
  /** The narrow hot row: one a device, rewritten with each heartbeat, no index on its times (reference/hub.md 3.1). */
  proxy_heartbeat: {
    device_id: string
    remote_ip: string
    ip_changes: number
    created_at: Date
    updated_at: Date
  }
  /** One row for each stretch of time that a device had an address. The open one's `last_seen` is in `proxy_heartbeat`. */
  ip_history: {
    id: Generated<string>
    device_id: string
    ip_address: string
    first_seen: Date
    last_seen: Date
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
  }
  enroll_tokens: {
    /** SHA-256, hex. */
    token_hash: string
    /** The only name that may enrol with it; null: any free one. */
    name: string | null
    created_at: Date
    expires_at: Date
    used_at: Date | null
  }
  /** One attempt of a request each, as parsers report them. */
  request_logs: {
    id: Generated<string>
    device_id: string
    /** The parser's address. */
    client_ip: string | null
    target_url: string | null
    method: string
    status_code: number | null
    response_time_ms: number
    /** The exit IP. */
    external_ip: string | null
    request_size: string
    response_size: string
    outcome: string
    attempt: number
    /** When the attempt began. */
    created_at: Date
  }
  /** The same summed up, a row for each hour of each device. Counts of attempts. */
  usage_stats: {
    device_id: string
    /** Its beginning, UTC. */
    hour: Date
    requests_count: number
    /** `answered`. */
    successful_requests: number
    /** `banned`. */
    banned_requests: number
    /** All else. */
    failed_requests: number
    response_time_ms_sum: string
    request_bytes: string
    response_bytes: string
  }
  /** Batches of usage that were taken, so that one that is sent again counts once. */
  usage_batches: {
    id: string
    received_at: Date
  }
  quarantines: {
    exit_ip: string
    site: string
    until_at: Date
    rule: string | null
    updated_at: Date
  }
  system_config: {
    key: string
    value: string
    description: Generated<string | null>
    config_type: Generated<string>
    created_at: Generated<Date>
    updated_at: Generated<Date>
  }
}
