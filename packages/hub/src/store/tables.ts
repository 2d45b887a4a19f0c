import type { Generated } from 'kysely'
import type { AccountTables } from './tables/accounts.ts'
import type { AlertTables } from './tables/alerts.ts'
import type { DeviceTables } from './tables/devices.ts'
import type { RotationTables } from './tables/rotations.ts'
import type { StatisticsTables } from './tables/statistics.ts'

/**
 * The tables as they stand after all migrations. Names are the specifications'; times are `timestamptz`.
 * A device's `status` is derived (fleet/status.ts), so no column holds it.
 */
export interface Tables extends AccountTables, AlertTables, DeviceTables, StatisticsTables, RotationTables {
  enroll_tokens: {
    /** SHA-256, hex. */
    token_hash: string
    /** The only name that may enrol with it; null: any free one. */
    name: string | null
    created_at: Date
    expires_at: Date
    used_at: Date | null
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
