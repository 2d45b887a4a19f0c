import type { UsageBatchJson } from '@mobilepool/sdk/contract'
import type { Store, UsageEntry } from '../store/index.ts'

const DAY_MS = 86_400_000
/** How long what parsers report is kept (DESIGN.md section 5). */
const LOGS_DAYS = 30
const STATS_DAYS = 90
/** A parser tries a batch again for as long as it runs; after a week of trying it has given up on everything older. */
const BATCHES_DAYS = 7
/** A prune is done in parts; the rest has time until the next one. */
const PRUNE_PARTS = 50

/** What became of a batch. */
export interface TakenBatch {
  stored: number
  unknownDevices: number
  isDuplicate: boolean
}

/** Stores a parser's batch, once, whatever clock the parser goes by. @throws HubError `database_down` */
export async function recordUsage(
  store: Pick<Store, 'usage'>,
  batch: UsageBatchJson,
  { clientIp, now }: { clientIp: string; now: number },
): Promise<TakenBatch> {
  const entries = batch.records.map((record) => toEntry(record, now))
  const stored = await store.usage.write({ id: batch.id, clientIp, receivedAt: now, entries })
  if (stored === null) return { stored: 0, unknownDevices: 0, isDuplicate: true }
  return { stored, unknownDevices: entries.length - stored, isDuplicate: false }
}

/** Deletes what is past its time. @throws HubError `database_down` */
export async function pruneUsage(store: Pick<Store, 'usage'>, now: number): Promise<void> {
  const before = { logs: now - LOGS_DAYS * DAY_MS, stats: now - STATS_DAYS * DAY_MS, batches: now - BATCHES_DAYS * DAY_MS }
  for (let part = 0; part < PRUNE_PARTS; part++) if (!(await store.usage.prune(before))) return
}

const toEntry = (record: UsageBatchJson['records'][number], now: number): UsageEntry => ({
  deviceId: record.device_id,
  exitIp: record.exit_ip,
  target: record.target,
  method: record.method.toUpperCase(),
  status: record.status,
  outcome: record.outcome,
  attempt: record.attempt,
  bytesOut: record.bytes_out,
  bytesIn: record.bytes_in,
  durationMs: record.duration_ms,
  // A clock that is ahead must not write into hours that are still to come, nor one without a date before the oldest that is kept.
  at: Math.min(now, Math.max(Date.parse(record.at), now - LOGS_DAYS * DAY_MS)),
})
