import type { Balancer } from './balancer.ts'
import { Ring } from './ring.ts'

/** Every device in turn. One that cannot take the request keeps its turn for the next; one that was full goes to the end. */
export function roundRobin(): Balancer {
  const ring = new Ring()
  return {
    pick: (candidates) => ring.pick(candidates),
    opened: (device) => ring.add(device),
    closed: (device) => ring.remove(device),
  }
}
