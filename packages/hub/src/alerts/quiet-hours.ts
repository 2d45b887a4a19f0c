import type { AlertSeverity, QuietHoursJson } from '@mobilepool/sdk/contract'
import { isAtLeast, type RuleSettings } from './rule-settings.ts'

/** Hours of the day in which notices wait; see the contract's `quietHours`. */
export type QuietHours = QuietHoursJson

const MINUTE_MS = 60_000
const DAY_MINUTES = 1_440

/**
 * When the quiet hours that reign at `now` are over, ms; null: none reign. Where a clock change skips
 * that very minute it may be an hour off: ask again then.
 */
function quietUntil({ from, to, time_zone: timeZone }: QuietHours, now: number): number | null {
  const local = minuteOfDay(now, timeZone)
  const [begin, end] = [minutes(from), minutes(to)]
  const isQuiet = begin < end ? local >= begin && local < end : local >= begin || local < end
  if (!isQuiet) return null
  const left = (end - local + DAY_MINUTES) % DAY_MINUTES
  const guess = Math.floor(now / MINUTE_MS) * MINUTE_MS + left * MINUTE_MS
  // The clock may be changed until then.
  const off = ((minuteOfDay(guess, timeZone) - end + DAY_MINUTES * 1.5) % DAY_MINUTES) - DAY_MINUTES / 2
  const exact = guess - off * MINUTE_MS
  return exact > now ? exact : guess
}

/** Until when a notice of this severity must wait, ms; null: it may go now. */
export function heldUntil(
  severity: AlertSeverity,
  { quietHours: treatment }: Pick<RuleSettings, 'quietHours'>,
  quiet: QuietHours | null,
  now: number,
): number | null {
  if (quiet === null || treatment === 'send') return null
  const { pierced_by: piercedBy } = quiet
  if (treatment === 'by_severity' && piercedBy !== null && isAtLeast(severity, piercedBy)) return null
  return quietUntil(quiet, now)
}

const minutes = (clock: string): number => Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3))

/** Making one takes longer than using it a hundred times; there is one time zone at a time. */
const formats = new Map<string, Intl.DateTimeFormat>()

function minuteOfDay(time: number, timeZone: string): number {
  let format = formats.get(timeZone)
  if (!format) {
    formats.clear()
    format = new Intl.DateTimeFormat('en-GB', { timeZone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
    formats.set(timeZone, format)
  }
  return minutes(format.format(time))
}
