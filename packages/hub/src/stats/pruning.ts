import type { Logger } from 'pino'
import { isDatabaseDown, type Store } from '../store/index.ts'
import type { Statistics } from './statistics.ts'

/** Retention counts in days; an hour's delay is nothing to it. */
const EVERY_MS = 3_600_000

export interface PruningParts {
  store: Pick<Store, 'quarantines'>
  /** Usage past its time goes, the log's next days are made, data plans are counted anew. */
  statistics: Pick<Statistics, 'maintain'>
  /** What other parts keep for a time only. */
  others: readonly (() => Promise<unknown>)[]
  log: Logger
  now: () => number
}

/** Deletes what is past its time, once an hour. Returns what stops it; resolves when nothing of it is under way. */
export function startPruning({ store, statistics, others, log, now }: PruningParts): () => Promise<void> {
  let running: Promise<void> = Promise.resolve()
  const prune = async (): Promise<void> => {
    try {
      await statistics.maintain()
      await store.quarantines.prune(now())
      for (const prune of others) await prune()
    } catch (error) {
      if (!isDatabaseDown(error)) log.error({ err: error }, 'What is past its time could not be deleted.')
    }
  }
  const timer = setInterval(() => {
    running = running.then(prune)
  }, EVERY_MS)
  return () => {
    clearInterval(timer)
    return running
  }
}
