import type { Device } from '../device.ts'
import { hashText, mix } from '../hash.ts'
import { Anchor } from './anchor.ts'
import type { Balancer, Candidates } from './balancer.ts'

/** Up to this many devices every one is scored: no table, and every process and every restart agrees. */
const SCORED_UP_TO = 64
/** Places that a key looks at in a large fleet before every device is scored: with nine of ten out, one pick in a thousand gets there. */
const PROBES = 64

/** Rendezvous hashing: the eligible device with the most points for this key. */
function scored(candidates: Candidates, key: number): Device | undefined {
  let best: Device | undefined
  let most = -1
  for (const device of candidates.open) {
    const points = mix(key ^ device.hash)
    if (points > most && candidates.isEligible(device)) {
      best = device
      most = points
    }
  }
  return best
}

/** The first eligible device on the key's way through the fleet. */
function probed(fleet: Anchor<Device>, candidates: Candidates, key: number): Device | undefined {
  let hash = key
  for (let step = 0; step < PROBES; step++) {
    const device = fleet.get(hash)
    if (device !== undefined && device.openIndex >= 0 && candidates.isEligible(device)) return device
    hash = mix(hash + 0x9e3779b9)
  }
  return undefined
}

/**
 * The same key to the same device, as long as that device is up and has room; while it has not, to others. When one of n devices
 * leaves, its keys move, 1/n of all, and no others. Weights do not count.
 *
 * Small fleets: rendezvous hashing (Thaler, Ravishankar 1996) over device ids. A fleet that has grown past 64 devices: AnchorHash
 * over the devices in the order in which they came, so that two processes agree if they saw the same order.
 */
export function ipHash(): Balancer {
  const members = new Set<Device>()
  let anchor: Anchor<Device> | null = null

  return {
    pick(candidates) {
      if (candidates.open.length === 0) return undefined
      const key = hashText(candidates.hashKey)
      return (anchor === null ? undefined : probed(anchor, candidates, key)) ?? scored(candidates, key)
    },
    joined(device) {
      members.add(device)
      if (anchor !== null) anchor.add(device)
      else if (members.size > SCORED_UP_TO) {
        anchor = new Anchor()
        for (const member of members) anchor.add(member)
      }
    },
    left(device) {
      members.delete(device)
      anchor?.remove(device)
    },
  }
}
