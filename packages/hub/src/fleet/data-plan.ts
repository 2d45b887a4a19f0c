import type { Device } from './device.ts'

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

/** What a SIM has used since the month of its data plan began, whether it has a cap or not. */
export function dataUseOf({ dataCapDay, dataUse }: Pick<Device, 'dataCapDay' | 'dataUse'>, now: number): { since: number; bytes: number } {
  const since = planBegan(dataCapDay, now)
  return { since, bytes: dataUse?.since === since ? dataUse.bytes : 0 }
}
