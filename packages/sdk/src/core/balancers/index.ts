import type { Balancer } from './balancer.ts'
import { leastConnections } from './least-connections.ts'
import { randomChoice } from './random.ts'
import { roundRobin } from './round-robin.ts'

/** The balancers by their public names. To add one: a file beside this, a line here. */
export const balancers = {
  'least-connections': leastConnections,
  'round-robin': roundRobin,
  random: randomChoice,
} as const satisfies Record<string, (random: () => number) => Balancer>

export type BalancerName = keyof typeof balancers
