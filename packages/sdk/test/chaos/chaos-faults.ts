import { between, pick } from '../seeded.ts'
import type { Fault } from '../servers/fault.ts'
import type { FaultPlan } from '../servers/faulty-proxy.ts'

/** Of a hundred exchanges, how many meet which fault. A tunnel keeps its fault for as long as it lives, and carries many requests. */
const shares: readonly (readonly [share: number, make: (random: () => number) => Fault | null])[] = [
  [84, () => null],
  [2, () => ({ kind: 'drop' })],
  [1.5, () => ({ kind: 'reset', afterBytes: 0 })],
  [2.5, (random) => ({ kind: 'reset', afterBytes: between(random, 1, 120_000) })],
  [1.5, () => ({ kind: 'hang_connect' })],
  [1, () => ({ kind: 'hang_header' })],
  [0.5, () => ({ kind: 'hang_body' })],
  [1, () => ({ kind: 'garbage' })],
  [2, (random) => ({ kind: 'slow', ms: between(random, 5, 40) })],
  [1, () => ({ kind: 'wrong_length' })],
  [1, () => ({ kind: 'status', status: 502 })],
  [1, () => ({ kind: 'status', status: 503, headers: { 'x-mobilepool-error': 'draining' } })],
  [0.5, () => ({ kind: 'status', status: 407 })],
  [0.5, () => ({ kind: 'status', status: 504 })],
]
/** Of a hundred connections, how many are accepted and never served. */
const HANGING_CONNECTIONS = 1

/** A device that misbehaves by chance, the same way for the same numbers. */
export const chaosFaults =
  (random: () => number): FaultPlan =>
  (moment) => {
    if (moment === 'exchange') return pick(random, shares)(random)
    return random() * 100 < HANGING_CONNECTIONS ? { kind: 'hang_accept' } : null
  }
