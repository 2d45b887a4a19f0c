import type { Device } from '../device.ts'
import { Heap } from '../heap.ts'
import type { Balancer } from './balancer.ts'
import { Ring } from './ring.ts'

/** Devices of one weight. They take turns; the groups compete by how much each has had for its weight. */
interface Group {
  readonly weight: number
  readonly ring: Ring
  /** Requests per unit of weight so far, on a scale that all groups share: the smallest is next. */
  pass: number
  place: number
}

/** Groups without devices that are remembered for what they have had. */
const EMPTY_GROUPS = 1_000

/**
 * Shares by weight, smoothly: no device gets its share in one run. Stride scheduling (Waldspurger 1995) over groups of equal
 * weight, turns inside a group: a pick costs O(log w) for w different weights, whatever the size of the fleet, where one heap
 * over all devices would pay for ten thousand. A device that is full or down takes no part, and makes up for nothing later.
 */
export function weighted(): Balancer {
  const groups = new Map<number, Group>()
  const groupOf = new WeakMap<Device, Group>()
  const queue = new Heap<Group>(
    (one, other) => one.pass < other.pass || (one.pass === other.pass && one.weight > other.weight),
    (group, place) => {
      group.place = place
    },
  )
  /** The pass of the group that was served last: who comes back begins here. */
  let served = 0
  const strideOf = ({ weight, ring }: Group): number => 1 / (weight * ring.size)

  const groupFor = (weight: number): Group => {
    const known = groups.get(weight)
    if (known !== undefined) return known
    if (groups.size - queue.size > EMPTY_GROUPS) for (const group of groups.values()) if (group.ring.size === 0) groups.delete(group.weight)
    const group: Group = { weight, ring: new Ring(), pass: 0, place: -1 }
    groups.set(weight, group)
    return group
  }

  return {
    pick(candidates) {
      let group = queue.first
      let device = group?.ring.pick(candidates)
      if (device === undefined) {
        group = queue.find(({ ring }) => {
          device = ring.pick(candidates)
          return device !== undefined
        })
      }
      if (group === undefined) return undefined
      // A group passed over, because nobody in it may take this request, keeps its turn: `served` never goes back for it.
      served = Math.max(served, group.pass)
      group.pass += strideOf(group)
      queue.moved(group.place)
      return device
    },
    opened(device) {
      const group = groupFor(device.weight)
      groupOf.set(device, group)
      group.ring.add(device)
      if (group.place >= 0) return
      // Half a stride: groups that begin together do not all have their turn at the same moment.
      group.pass = Math.max(group.pass, served + strideOf(group) / 2)
      queue.add(group)
    },
    closed(device) {
      const group = groupOf.get(device)
      if (group === undefined) return
      group.ring.remove(device)
      if (group.ring.size === 0 && group.place >= 0) queue.removeAt(group.place)
    },
  }
}
