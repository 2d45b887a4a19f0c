import type { DeviceKind, DeviceType, RotationMethod, TelemetryJson } from '@mobilepool/sdk/contract'
import type { Generated, GeneratedAlways } from 'kysely'

/** What is set and seen of devices. A device's `status` is derived (fleet/status.ts), so no column holds it. */
export interface DeviceTables {
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
    /** Null: as the pool is told. */
    requests_per_minute: number | null
    max_concurrency: number | null
    /** A month. */
    data_cap_bytes: string | null
    data_cap_day: Generated<number>
    /** Since when the silence lasts that its owner was told of; null: none. */
    silent_since: Date | null
    created_at: Date
    updated_at: Date
  }
  /** What an agent said last. */
  device_telemetry: {
    device_id: string
    telemetry: TelemetryJson
    reported_at: Date
  }
  /** Attempts that pools have reported, all time. */
  device_totals: {
    device_id: string
    total_requests: string
    successful_requests: string
    failed_requests: string
    response_time_ms_sum: string
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
    /** `ip_address` as far as sites tell exits apart: itself, or its /64. */
    exit: GeneratedAlways<string>
    /** The device's at that time. */
    operator: string | null
    /** Attempts through the device while it was there. */
    total_requests: Generated<string>
    /** Quarantines that pools confirmed. */
    times_blocked: Generated<number>
    blocked_at: Date | null
    /** The site of the last one, and its rule. */
    blocked_reason: string | null
  }
}
