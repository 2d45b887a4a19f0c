import type { Device } from '../device.ts'
import type { Balancer, Candidates } from './balancer.ts'
import { firstFrom } from './first-from.ts'

/** Up to this many devices a scan costs no more than two random looks at a large fleet, and it is exact. */
const EXACT_UP_TO = 50
/** Pairs looked at before any eligible device will do: with nine of ten out, one pick in thirty gets there. */
const PAIRS = 16

/** Fewer requests in flight for its weight; among equals the one whose last request is longer ago, so that ties go round. */
function isLess(one: Device, other: Device): boolean {
  const load = one.inFlight * other.weight
  const otherLoad = other.inFlight * one.weight
  return load < otherLoad || (load === otherLoad && one.lastPick < other.lastPick)
}

/**
 * The device with the fewest requests in flight for its weight: exact in small fleets; in larger ones the better of two random
 * devices ("power of two choices", Mitzenmacher 2001), which spreads nearly as well without walking over the fleet.
 */
export function leastConnections(random: () => number): Balancer {
  let picks = 0

  const scan = (candidates: Candidates): Device | undefined => {
    const { open } = candidates
    let best: Device | undefined
    for (let index = 0; index < open.length; index++) {
      const device = open[index] as Device
      if ((best === undefined || isLess(device, best)) && candidates.isEligible(device)) best = device
    }
    return best
  }

  const betterOfTwo = (candidates: Candidates): Device | undefined => {
    const { open } = candidates
    const count = open.length
    for (let pair = 0; pair < PAIRS; pair++) {
      // One draw for both: the call costs more than the division.
      const both = Math.floor(random() * count * count)
      const one = open[both % count]
      const other = open[Math.floor(both / count)]
      if (one === undefined || other === undefined) return undefined
      const isOneLess = isLess(one, other)
      const less = isOneLess ? one : other
      if (candidates.isEligible(less)) return less
      const more = isOneLess ? other : one
      if (candidates.isEligible(more)) return more
    }
    return firstFrom(candidates, random)
  }

  return {
    pick(candidates) {
      const device = candidates.open.length <= EXACT_UP_TO ? scan(candidates) : betterOfTwo(candidates)
      if (device !== undefined) device.lastPick = ++picks
      return device
    },
  }
}
