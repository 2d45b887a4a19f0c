import type { Device } from './device.ts'

/** Draws that may miss before all devices are looked at: where half of the fleet is usable, one request in a thousand gets there. */
const DRAWS = 10

type Weighted = Pick<Device, 'weight'>

/** Draws devices by chance, in proportion to their weights, without looking at all of them. Good until one comes, goes or gets another weight. */
export class Raffle<D extends Weighted = Device> {
  readonly #devices: readonly D[]
  /** Where each device's share of the whole weight ends. */
  readonly #ends: Float64Array

  constructor(devices: readonly D[]) {
    this.#devices = devices
    this.#ends = new Float64Array(devices.length)
    let end = 0
    for (const [index, { weight }] of devices.entries()) this.#ends[index] = end += weight
  }

  /**
   * One of those that `isUsable`; null: there is none. A draw that hits another one is repeated, which leaves the chances of the usable
   * ones as their weights are; after some misses they are listed. `random` gives numbers from 0 up to, not including, 1.
   */
  draw(isUsable: (device: D) => boolean, random: () => number): D | null {
    for (let draw = 0; draw < DRAWS; draw++) {
      const device = this.#at(random())
      if (device === undefined) return null
      if (isUsable(device)) return device
    }
    const usable = this.#devices.filter(isUsable)
    return usable.length === 0 ? null : (new Raffle(usable).#at(random()) ?? null)
  }

  #at(share: number): D | undefined {
    const ends = this.#ends
    const mark = share * (ends.at(-1) ?? 0)
    let [low, high] = [0, ends.length - 1]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((ends[middle] as number) > mark) high = middle
      else low = middle + 1
    }
    return this.#devices[low]
  }
}
