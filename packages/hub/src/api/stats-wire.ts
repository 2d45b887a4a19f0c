import type { LoggedRequestJson } from '@mobilepool/sdk/contract'
import type { Device } from '../fleet/device.ts'
import type { Fleet } from '../fleet/fleet.ts'
import type { StatsRange } from '../stats/range.ts'
import { ratesOf, type seriesOf } from '../stats/sums.ts'
import type { LoggedRequest, OutcomeCounts, UsageCounts } from '../store/index.ts'
import { stamp } from './stamp.ts'

/** What attempts add up to. */
export function sumsJson(counts: UsageCounts) {
  const { successRate, averageMs, p50Ms, p95Ms, p99Ms } = ratesOf(counts)
  return {
    requests: counts.requests,
    successful: counts.successful,
    banned: counts.banned,
    failed: counts.failed,
    success_rate: successRate,
    avg_ms: averageMs,
    p50_ms: p50Ms,
    p95_ms: p95Ms,
    p99_ms: p99Ms,
    bytes_up: counts.bytesOut,
    bytes_down: counts.bytesIn,
  }
}

/** A range that is divided, and what it adds up to. */
export const dividedJson = (range: StatsRange, { total, series }: ReturnType<typeof seriesOf>) => ({
  ...rangeJson(range),
  bucket: range.bucket,
  time_zone: range.timeZone,
  total: sumsJson(total),
  series: series.map(({ start, counts }) => ({ start: stamp(start), ...sumsJson(counts) })),
})

export const rangeJson = ({ from, to }: { from: number; to: number }) => ({ from: stamp(from), to: stamp(to) })

/** How rotations ended. */
export function rotationSumsJson(counts: OutcomeCounts) {
  const all = counts.changed + counts.unchanged + counts.failed
  return { ...counts, success_rate: all === 0 ? null : counts.changed / all }
}

/** What a SIM has used of its plan this month. */
export function dataPlanJson(device: Device, fleet: Pick<Fleet, 'dataUse'>) {
  const { since, bytes } = fleet.dataUse(device)
  const { dataCapBytes } = device
  return {
    since: stamp(since),
    used_bytes: bytes,
    cap_bytes: dataCapBytes,
    percent: dataCapBytes === null ? null : Math.round((bytes / dataCapBytes) * 1_000) / 10,
  }
}

/** A line of the request log. */
export const loggedJson = (line: LoggedRequest): LoggedRequestJson => ({
  id: line.id,
  at: stamp(line.at),
  device_id: line.deviceId,
  device: line.deviceName,
  exit_ip: line.exitIp,
  target: line.target,
  site: line.site,
  method: line.method,
  status: line.status,
  outcome: line.outcome,
  error: line.error,
  attempt: line.attempt,
  session: line.session,
  duration_ms: line.durationMs,
  bytes_up: line.bytesOut,
  bytes_down: line.bytesIn,
  user_agent: line.userAgent,
  client_ip: line.clientIp,
})
