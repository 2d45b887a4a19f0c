import type { Generated } from 'kysely'
import type { AccountTables } from './tables/accounts.ts'
import type { AlertTables } from './tables/alerts.ts'
import type { DeviceTables } from './tables/devices.ts'
import type { RotationTables } from './tables/rotations.ts'

/**
 * The tables as they stand after all migrations. Names are the specifications'; times are `timestamptz`.
 * A device's `status` is derived (fleet/status.ts), so no column holds it.
 */
export interface Tables extends AccountTables, AlertTables, DeviceTables, RotationTables {
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
