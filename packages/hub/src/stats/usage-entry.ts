import type { UsageRecordJson } from '@mobilepool/sdk/contract'
import type { UsageEntry } from '../store/index.ts'
import { siteOfTarget, storedTarget } from './target.ts'

/** What is stored of a reported attempt. `oldest`: the beginning of what the log keeps, ms. */
export function usageEntry(record: UsageRecordJson, rules: { now: number; oldest: number; keepsQuery: boolean }): UsageEntry {
  return {
    deviceId: record.device_id,
    exitIp: record.exit_ip,
    target: storedTarget(record.target, rules.keepsQuery),
    site: siteOfTarget(record.target),
    method: record.method.toUpperCase(),
    status: record.status,
    outcome: record.outcome,
    error: record.error ?? null,
    userAgent: record.user_agent ?? null,
    attempt: record.attempt,
    session: record.session ?? null,
    bytesOut: record.bytes_out,
    bytesIn: record.bytes_in,
    durationMs: record.duration_ms,
    // A clock that is ahead must not write into hours that are still to come, nor one without a date before the oldest that is kept.
    at: Math.min(rules.now, Math.max(Date.parse(record.at), rules.oldest)),
  }
}
