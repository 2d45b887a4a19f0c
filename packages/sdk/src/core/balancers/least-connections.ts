import type { Device } from '../device.ts'
import type { Balancer, Candidates } from './balancer.ts'

/** Up to this many devices a scan costs no more than two random looks (63 ns at 50, measured), and it is exact. */
const EXACT_UP_TO = 50
/** Pairs looked at before the scan. */
const PAIRS = 3

/**
 * The device with the fewest requests in flight: exact in small fleets; in larger ones the better of two random devices
 * ("power of two choices"), which spreads nearly as well without walking over the fleet. Ties go round.
 */
export function leastConnections(random: () => number): Balancer {
  let start = 0

  const scan = ({ ready, isEligible }: Candidates): Device | undefined => {
    let best: Device | undefined
    for (let step = 0; step < ready.length; step++) {
      const device = ready[(start + step) % ready.length]
      if (device !== undefined && (best === undefined || device.inFlight < best.inFlight) && isEligible(device)) best = device
    }
    if (best !== undefined) start = best.readyIndex + 1
    return best
  }

  const betterOfTwo = ({ ready, isEligible }: Candidates): Device | undefined => {
    for (let pair = 0; pair < PAIRS; pair++) {
      const one = ready[Math.floor(random() * ready.length)]
      const other = ready[Math.floor(random() * ready.length)]
      if (one === undefined || other === undefined) return undefined
      const [less, more] = one.inFlight <= other.inFlight ? [one, other] : [other, one]
      if (isEligible(less)) return less
      if (isEligible(more)) return more
    }
    return undefined
  }

  return {
    pick: (candidates) => (candidates.ready.length <= EXACT_UP_TO ? scan(candidates) : (betterOfTwo(candidates) ?? scan(candidates))),
  }
}
