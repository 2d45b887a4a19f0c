/** When used requests begin to be counted anew, UTC. */
export type QuotaPeriod = 'day' | 'month' | 'never'

/** A count of requests: `requestsUsed` of them in the period that `requestsSince` lies in. Times in ms. */
export interface Counted {
  requestsUsed: number
  requestsSince: number
}

/** When the period began that `now` lies in. */
export function periodStart(period: QuotaPeriod, now: number): number {
  if (period === 'never') return 0
  const date = new Date(now)
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), period === 'day' ? date.getUTCDate() : 1)
}

/** When the next period begins; null: never. */
export function resetAt(period: QuotaPeriod, now: number): number | null {
  if (period === 'never') return null
  const date = new Date(now)
  return period === 'day'
    ? Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate() + 1)
    : Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1)
}

/** How many requests count now: those of an earlier period do not. */
export const countedNow = ({ requestsUsed, requestsSince }: Counted, period: QuotaPeriod, now: number): number =>
  requestsSince < periodStart(period, now) ? 0 : requestsUsed
