import type { Balancer } from './balancer.ts'
import { ipHash } from './ip-hash.ts'
import { leastConnections } from './least-connections.ts'
import type { BalancerName } from './names.ts'
import { randomChoice } from './random.ts'
import { roundRobin } from './round-robin.ts'
import { weighted } from './weighted.ts'

/** The balancers. To add one: a file beside this, its name in names.ts, a line here. */
export const balancers: Readonly<Record<BalancerName, (random: () => number) => Balancer>> = {
  'least-connections': leastConnections,
  'round-robin': roundRobin,
  random: randomChoice,
  weighted,
  'ip-hash': ipHash,
}
