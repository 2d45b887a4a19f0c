import type { Device } from '../device.ts'
import type { Candidates } from './balancer.ts'

/** The first eligible device from a random place on: when guesses missed, it finds one after few steps unless nearly all are out. */
export function firstFrom(candidates: Candidates, random: () => number): Device | undefined {
  const { open } = candidates
  const start = Math.floor(random() * open.length)
  for (let step = 0; step < open.length; step++) {
    const device = open[(start + step) % open.length]
    if (device !== undefined && candidates.isEligible(device)) return device
  }
  return undefined
}
