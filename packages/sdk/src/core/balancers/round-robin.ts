import type { Balancer } from './balancer.ts'

/** Every device in turn; one that cannot take the request is passed over. */
export function roundRobin(): Balancer {
  let next = 0
  return {
    pick({ ready, isEligible }) {
      for (let step = 0; step < ready.length; step++) {
        const index = (next + step) % ready.length
        const device = ready[index]
        if (device !== undefined && isEligible(device)) {
          next = index + 1
          return device
        }
      }
      return undefined
    },
  }
}
