import { t } from './words.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** A length of time in at most two units: "12 s", "14 min", "2 h 14 min", "3 d 5 h". */
export function duration(ms: number): string {
  const whole = Math.max(0, ms)
  if (whole < MINUTE) return t('time.s', { count: Math.floor(whole / SECOND) })
  if (whole < HOUR) return t('time.min', { count: Math.floor(whole / MINUTE) })
  if (whole < DAY) return coarse('time.h', 'time.h.min', { h: Math.floor(whole / HOUR), min: Math.floor((whole % HOUR) / MINUTE) })
  return coarse('time.d', 'time.d.h', { d: Math.floor(whole / DAY), h: Math.floor((whole % DAY) / HOUR) })
}

function coarse(alone: 'time.h' | 'time.d', both: 'time.h.min' | 'time.d.h', units: Readonly<Record<string, number>>): string {
  const [first = 0, second = 0] = Object.values(units)
  return second === 0 ? t(alone, { count: first }) : t(both, units)
}

/** How long something took, exact enough to compare: "840 ms", "8.4 s", "41 s", "2 min". */
export function took(ms: number): string {
  if (ms < SECOND) return t('time.ms', { count: ms })
  return ms < 10 * SECOND ? t('time.s', { count: Math.round(ms / 100) / 10 }) : duration(ms)
}

/** How long ago: "now", "12 s ago", "2 h 14 min ago". What lies ahead, by clocks that disagree, is now. */
export const ago = (ms: number): string => (ms < SECOND ? t('time.now') : t('time.ago', { duration: duration(ms) }))
