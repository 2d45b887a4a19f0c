import type { Store } from '../store/index.ts'

const DAY_MS = 86_400_000
/** A prune is done in parts; the rest has time until the next one. */
const PARTS = 50

/** Deletes the stretches at addresses that ended before their time, of each device never the newest. @throws HubError `database_down` */
export async function pruneIpHistory(
  { ipHistory }: { ipHistory: Pick<Store['ipHistory'], 'prune'> },
  { ipHistoryRetentionDays }: { ipHistoryRetentionDays: number },
  now: number,
): Promise<void> {
  for (let part = 0; part < PARTS; part++) if (!(await ipHistory.prune(now - ipHistoryRetentionDays * DAY_MS))) return
}
