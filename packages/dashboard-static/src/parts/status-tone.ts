import type { Status } from '../fleet/device.ts'

/** The colour of each status; never its only sign. */
export const statusTone: Readonly<Record<Status, string>> = {
  online: 'text-good',
  busy: 'text-good',
  rotating: 'text-turn',
  offline: 'text-bad',
  maintenance: 'text-warn',
  pending: 'text-quiet',
  unknown: 'text-quiet',
}
