import type { Store } from '../store/index.ts'

const DAY_MS = 86_400_000
/** A parser tries a batch again for as long as it runs; after a week of trying it has given up on everything older. */
const BATCHES_DAYS = 7
/** A prune is done in parts; the rest has time until the next one. */
const PRUNE_PARTS = 50

/** How long what pools report is kept. */
export interface Retention {
  logRetentionDays: number
  metricsRetentionDays: number
}

/** Drops the days of the log that are past their time, and deletes the sums that are. @throws HubError `database_down` */
export async function pruneUsage(
  store: Pick<Store, 'usage'>,
  { logRetentionDays, metricsRetentionDays }: Retention,
  now: number,
): Promise<void> {
  const before = {
    logs: now - logRetentionDays * DAY_MS,
    // Whole days: a day has its hours and its sum, or neither.
    stats: Math.floor(now / DAY_MS - metricsRetentionDays) * DAY_MS,
    batches: now - BATCHES_DAYS * DAY_MS,
  }
  for (let part = 0; part < PRUNE_PARTS; part++) if (!(await store.usage.prune(before))) return
}
