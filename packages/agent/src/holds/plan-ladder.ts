import type { RotationMethod } from '@mobilepool/sdk/contract'
import type { Rung } from '../drivers/driver.ts'

/** What came of one hold. */
export interface HoldTry {
  /** When it was over, ms since 1970. */
  readonly at: number
  readonly isChanged: boolean
  /** From switching off to the new address being verified, ms. */
  readonly tookMs: number
}

/** Only the last tries count: carriers change. */
export const TRIES_THAT_COUNT = 30
/** A hold is good enough when this share of its tries changed the address ... */
const GOOD_SHARE = 0.9
/** ... of at least so many; */
const GOOD_TRIES = 5
/** and known to be too short only after more, as one bad minute of the carrier is none of its fault. */
const BAD_TRIES = 10
/** So often a shorter hold than the one known to be good is tried first. */
const EXPLORED_SHARE = 0.05
/** Below the driver's own shortest hold, these parts of it are tried. */
const SHORTER_PARTS = [0.4, 0.7]

/** What takes as long as it is told; a reboot or a provider's link takes its own time. */
const heldMethods = new Set<RotationMethod>(['airplane_mode', 'data_toggle', 'reconnect'])

/** Whether anything can be learned from a rung's hold. */
export const isHeld = (rung: Rung): boolean => heldMethods.has(rung.method) && rung.isOnRequest !== true

/** The last tries of a hold, and what they say. */
export function judgeHold(tries: readonly HoldTry[]): { readonly share: number; readonly verdict: 'good' | 'bad' | 'unknown' } {
  const last = tries.slice(-TRIES_THAT_COUNT)
  const share = last.filter(({ isChanged }) => isChanged).length / Math.max(1, last.length)
  if (last.length >= GOOD_TRIES && share >= GOOD_SHARE) return { share, verdict: 'good' }
  return { share, verdict: last.length >= BAD_TRIES ? 'bad' : 'unknown' }
}

/**
 * The ladder with what is known of its holds: it begins with the shortest hold that changed the address in 90 % of its last 30 tries,
 * leaves out those that are known to be too short, and now and then tries a shorter one first. Only the holds of the ladder's first method
 * are planned; what follows them stays. Where nothing is known, or nothing works, it is the driver's own.
 * @param triesOf what is known of a hold of the first method, oldest first
 * @param known holds that were tried, beside the driver's own
 * @param dice from 0 to 1
 */
export function planLadder(
  rungs: readonly Rung[],
  triesOf: (holdMs: number) => readonly HoldTry[],
  known: readonly number[],
  dice: number,
): readonly Rung[] {
  const [first] = rungs
  if (!first || !isHeld(first)) return rungs
  const end = rungs.findIndex((rung) => rung.method !== first.method || !isHeld(rung))
  const own = end < 0 ? rungs : rungs.slice(0, end)
  const rest = end < 0 ? [] : rungs.slice(end)
  const holds = own.map(({ holdMs }) => holdMs)
  const shortest = Math.min(...holds)
  const parts = SHORTER_PARTS.map((part) => Math.round((shortest * part) / 10) * 10)
  const candidates = [...new Set([...holds, ...known, ...parts])].filter((holdMs) => holdMs > 0).sort((a, b) => a - b)

  const verdict = (holdMs: number): string => judgeHold(triesOf(holdMs)).verdict
  const good = candidates.find((holdMs) => verdict(holdMs) === 'good')
  // A hold of the driver's own is believed until it is known to be bad.
  const start = candidates.find((holdMs) => holdMs === good || (holds.includes(holdMs) && verdict(holdMs) === 'unknown'))
  if (start === undefined) return rungs
  const shorter = candidates[candidates.indexOf(start) - 1]
  const isExploring = good !== undefined && shorter !== undefined && dice < EXPLORED_SHARE
  const begin = isExploring ? [shorter, start] : [start]
  const longer = own.filter(({ holdMs }) => holdMs > start)
  return [...begin.map((holdMs) => ({ ...first, holdMs })), ...longer, ...rest]
}
