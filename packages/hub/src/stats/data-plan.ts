/** When the month of a data plan began that `now` is in: at midnight UTC of that day, or of the last day of a month that is shorter. */
export function planBegan(day: number, now: number): number {
  const date = new Date(now)
  const begins = (month: number): number => {
    const last = new Date(Date.UTC(date.getUTCFullYear(), month + 1, 0)).getUTCDate()
    return Date.UTC(date.getUTCFullYear(), month, Math.min(day, last))
  }
  const thisMonth = begins(date.getUTCMonth())
  return thisMonth <= now ? thisMonth : begins(date.getUTCMonth() - 1)
}
