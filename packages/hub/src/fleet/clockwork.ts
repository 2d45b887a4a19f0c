import type { Logger } from 'pino'
import { isDatabaseDown, type PulseStore } from '../store/index.ts'
import type { Fleet } from './fleet.ts'
import type { IpRecall } from './ip-recall.ts'
import type { Quarantines } from './quarantines.ts'
import type { IntervalRotations } from './rotations/interval-rotations.ts'
import type { Rotations } from './rotations/rotations.ts'
import type { Tallies } from './tallies.ts'
import type { TelemetryKeeper } from './telemetry-keeper.ts'
import type { Vigilance } from './vigilance.ts'

const TICK_MS = 1_000
/** How exactly the next start knows when this one was last at work. */
const PULSE_MS = 10_000
/** A tick this late: the machine slept or the thread was held, and no heartbeat could have been taken. */
const GAP_MS = 10_000

export interface ClockworkParts {
  fleet: Pick<Fleet, 'tick' | 'resumeWatch'>
  rotations: Pick<Rotations, 'tick'>
  intervals: Pick<IntervalRotations, 'tick'>
  quarantines: Pick<Quarantines, 'tick'>
  vigilance: Pick<Vigilance, 'tick'>
  recall: Pick<IpRecall, 'tick'>
  tallies: Pick<Tallies, 'tick'>
  telemetry: Pick<TelemetryKeeper, 'tick'>
  pulse: Pick<PulseStore, 'beat'>
  log: Logger
  now: () => number
}

/** Starts what the hub does by itself: silences, deadlines and turns once a second, its own pulse every ten. Returns what stops it. */
export function startClockwork({
  fleet,
  rotations,
  intervals,
  quarantines,
  vigilance,
  recall,
  tallies,
  telemetry,
  pulse,
  log,
  now,
}: ClockworkParts): () => void {
  let last = now()
  let pulseAt = Number.NEGATIVE_INFINITY
  const tick = (): void => {
    const at = now()
    if (at - last > GAP_MS) {
      log.warn({ ms: at - last }, 'The hub did not run for a while; silences are counted from now.')
      fleet.resumeWatch(last)
    }
    last = at
    fleet.tick()
    for (const part of [vigilance, recall, tallies, telemetry]) part.tick()
    rotations.tick()
    intervals.tick()
    if (at - pulseAt < PULSE_MS) return
    pulseAt = at
    quarantines.tick()
    pulse.beat(at).catch((error: unknown) => {
      if (!isDatabaseDown(error)) log.error({ err: error }, 'The pulse could not be written.')
    })
  }
  tick()
  const timer = setInterval(tick, TICK_MS)
  return () => clearInterval(timer)
}
