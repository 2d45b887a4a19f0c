import type { RotationMethod } from '@mobilepool/sdk/contract'
import { z } from 'zod'
import type { Clock } from '../clock.ts'
import type { PastRotation, Rotator } from '../rotation/rotator.ts'

/** Beside a hold: to come online and to be verified (reference: device-control.md section 3). */
const OTHERWISE_MS = 12_000
const DEADLINE_MS = 120_000
const MAX_ROTATIONS = 100

/** What to try. Bounded: each try is a rotation that the carrier sees. */
export const calibration = z
  .strictObject({
    /** The holds. @default 2, 4, 6, 15 and 40 s */
    holds_ms: z.array(z.int().min(100).max(300_000)).min(1).max(20).default([2_000, 4_000, 6_000, 15_000, 40_000]),
    /** Tries of each. @default 5 */
    rounds: z.int().min(1).max(30).default(5),
    /** Between two rotations: carriers have limits. @default 5000 */
    pause_ms: z.int().min(0).max(600_000).default(5_000),
  })
  .refine(
    ({ holds_ms, rounds }) => holds_ms.length * rounds <= MAX_ROTATIONS,
    `at most ${MAX_ROTATIONS} rotations: fewer holds, or fewer rounds`,
  )
export type Calibration = z.output<typeof calibration>

/** What a calibration costs at most, about. */
export function costOf({ holds_ms, rounds, pause_ms }: Calibration): { readonly rotations: number; readonly minutes: number } {
  const ms = holds_ms.reduce((sum, holdMs) => sum + holdMs + OTHERWISE_MS + pause_ms, 0) * rounds
  return { rotations: holds_ms.length * rounds, minutes: Math.ceil(ms / 60_000) }
}

/**
 * Tries each hold, round by round, so that a bad minute of the carrier hits all of them; what comes of it goes into the device's book. Ends
 * early when `gone` aborts, after the rotation under way. Throws `busy` when something else rotates the device.
 */
export async function* calibrate(
  { holds_ms, rounds, pause_ms }: Calibration,
  parts: { readonly rotator: Pick<Rotator, 'rotateHere' | 'last'>; readonly clock: Clock; readonly method: RotationMethod | null },
  { gone, stop }: { readonly gone: AbortSignal; readonly stop: AbortSignal },
): AsyncGenerator<{ readonly holdMs: number; readonly rotation: PastRotation }> {
  const { rotator, clock, method } = parts
  const over = AbortSignal.any([gone, stop])
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, holdMs] of holds_ms.entries()) {
      if (round + index > 0) await clock.sleep(pause_ms, over).catch(() => {})
      if (over.aborted) return
      await rotator.rotateHere({ method, holdMs, drainMs: 0, deadlineAt: clock.now() + holdMs + DEADLINE_MS }, stop)
      if (rotator.last) yield { holdMs, rotation: rotator.last }
    }
  }
}
