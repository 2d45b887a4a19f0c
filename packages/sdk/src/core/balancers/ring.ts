import type { Device } from '../device.ts'
import type { Candidates } from './balancer.ts'

/**
 * Up to this many devices that cannot take a request keep their turn. Beyond it the turn moves past them, so that a large
 * fleet of which half is quarantined for a site is not walked over again for every request to it.
 */
const PATIENCE = 32

/**
 * Devices that take turns: a ring with a mark at whose turn it is. Everything is O(1) but for devices passed over.
 * A device is in one ring at most, because it carries its neighbours itself.
 */
export class Ring {
  #turn: Device | null = null
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Its turn comes when everybody else has had theirs. */
  add(device: Device): void {
    const turn = this.#turn
    this.#size++
    if (turn === null) {
      device.nextInRing = device
      device.previousInRing = device
      this.#turn = device
      return
    }
    const last = turn.previousInRing ?? turn
    device.previousInRing = last
    device.nextInRing = turn
    last.nextInRing = device
    turn.previousInRing = device
  }

  remove(device: Device): void {
    const { nextInRing: next, previousInRing: previous } = device
    if (next === null || previous === null) return
    this.#size--
    device.nextInRing = null
    device.previousInRing = null
    if (next === device) {
      this.#turn = null
      return
    }
    previous.nextInRing = next
    next.previousInRing = previous
    if (this.#turn === device) this.#turn = next
  }

  /** The next in turn that is eligible; those before it keep their turn. */
  pick(candidates: Candidates): Device | undefined {
    const first = this.#turn
    if (first === null) return undefined
    let device = first
    for (let passed = 0; passed < this.#size; passed++) {
      const next = device.nextInRing ?? first
      if (candidates.isEligible(device)) {
        if (passed === 0 || (passed > PATIENCE && !candidates.isSelective)) this.#turn = next
        else {
          this.remove(device)
          this.add(device)
        }
        return device
      }
      device = next
    }
    return undefined
  }
}
