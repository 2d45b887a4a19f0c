import type { OpenDevice } from '../open-device.ts'
import type { RotationPorts } from '../rotation/ports.ts'
import type { HoldBook, HoldLibrary } from './hold-book.ts'

/** Lets the rotations of a device plan by its book and the library, and write into its book. */
export function holdPorts(
  { config, clock, random, log }: Pick<OpenDevice, 'config' | 'clock' | 'random' | 'log'>,
  book: HoldBook,
  library: HoldLibrary,
): NonNullable<RotationPorts['holds']> {
  const carrierOf = (said: string | null): string => said ?? config.operator ?? ''
  return {
    plan: (rungs, carrier) => book.plan(carrierOf(carrier), rungs, library, random()),
    tried: (rung, carrier, isChanged, tookMs) =>
      book
        .note(carrierOf(carrier), rung, { at: clock.now(), isChanged, tookMs })
        .catch((error: Error) => log.warn({ reason: error.message }, 'what was learned of this hold is lost')),
  }
}
