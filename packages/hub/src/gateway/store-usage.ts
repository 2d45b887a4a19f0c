import type { Tallies } from '../fleet/tallies.ts'
import type { Metrics } from '../metrics/metrics.ts'
import type { Statistics } from '../stats/statistics.ts'
import type { UsageBatchesParts } from './usage-batches.ts'

/** Stores what went through the gateway, and counts it as what parsers report is counted. Quotas were counted when it began. */
export const storeUsage =
  ({
    statistics,
    tallies,
    metrics,
  }: {
    statistics: Pick<Statistics, 'record'>
    tallies: Pick<Tallies, 'use'>
    metrics: Pick<Metrics, 'observeUsage'>
  }): UsageBatchesParts['store'] =>
  async (batch, { reporter, address }) => {
    const { isDuplicate } = await statistics.record(batch, { clientIp: address, reporter })
    if (isDuplicate) return
    const entries = batch.records.map(({ device_id, exit_ip, status, outcome, duration_ms }) => ({
      deviceId: device_id,
      exitIp: exit_ip,
      status,
      outcome,
      durationMs: duration_ms,
    }))
    tallies.use(entries)
    metrics.observeUsage(entries)
  }
