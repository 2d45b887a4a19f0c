import type { Generated } from 'kysely'

/** Counts of attempts. */
interface Counters {
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
  /** Histogram of durations, see latency.ts. */
  latency: Generated<number[]>
}

/** What pools report: the log, a table for each day (UTC), and its sums. */
export interface StatisticsTables {
  /** One attempt of a request each. Outlives its device. */
  request_logs: {
    id: Generated<string>
    device_id: string
    /** At that time. */
    device_name: string | null
    /** The parser's address. */
    client_ip: string | null
    target_url: string | null
    site: string | null
    method: string
    status_code: number | null
    response_time_ms: number
    /** The exit IP. */
    external_ip: string | null
    user_agent: string | null
    request_size: string
    response_size: string
    outcome: string
    error_message: string | null
    attempt: number
    /** The user whose key it was, or the key; null: it was not kept yet. */
    reporter: string | null
    /** Sticky key of the request's session. */
    session: string | null
    /** When the attempt began. */
    created_at: Date
  }
  /** A row for each hour (its beginning, UTC) of each device. */
  usage_stats: Counters & { device_id: string; hour: Date }
  /** A row for each hour of each site; the site '' is the whole fleet. */
  usage_sites: Counters & { site: string; hour: Date }
  /** A row for each day of each device and reporter: the user whose key it was, or the key. */
  usage_reporters: Counters & { device_id: string; reporter: string; date: Date }
  /** Batches of usage that were taken, so that one that is sent again counts once. */
  usage_batches: {
    id: string
    received_at: Date
  }
}
