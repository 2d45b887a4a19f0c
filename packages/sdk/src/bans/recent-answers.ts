import type { Device } from '../core/device.ts'
import type { ExitMemory } from '../core/quarantine.ts'

/** An answer that a caller got, for as long as a report may still name it. */
export interface RecentAnswer {
  /** The number of its request, as `x-mobilepool-request` shows it. */
  readonly order: number
  readonly device: Device
  /** The exit that served it, whatever exit the device has by now. */
  readonly exit: ExitMemory
  readonly site: string
  /** Strikes that this answer ended, because it looked proper. They come back when it turns out to be a ban. */
  strikesEnded: number
  /** It has been counted as a ban. */
  isCounted: boolean
}

/** How many answers are remembered: minutes of a busy parser, and half a megabyte. */
const REMEMBERED = 4_096

/** A place in the ring, written anew for one answer after another. */
interface Slot extends Omit<RecentAnswer, 'order' | 'device' | 'exit' | 'site'> {
  order: number
  device: Device
  exit: ExitMemory
  site: string
  /** Made for who asks, which is seldom; the same for all who ask. */
  answer: RecentAnswer | null
}

/** The answers given last, so that a report of a response finds the exit that served it and counts once. */
export class RecentAnswers {
  readonly #ring: Slot[] = []

  add(order: number, device: Device, exit: ExitMemory, site: string, strikesEnded: number, isCounted: boolean): void {
    const slot = this.#ring[order % REMEMBERED]
    if (slot === undefined) {
      this.#ring[order % REMEMBERED] = { order, device, exit, site, strikesEnded, isCounted, answer: null }
      return
    }
    slot.order = order
    slot.device = device
    slot.exit = exit
    slot.site = site
    slot.strikesEnded = strikesEnded
    slot.isCounted = isCounted
    slot.answer = null
  }

  /** The answer of this number; undefined when it is too long ago. */
  get(order: number): RecentAnswer | undefined {
    const slot = this.#ring[order % REMEMBERED]
    if (slot?.order !== order) return undefined
    const { device, exit, site, strikesEnded, isCounted } = slot
    slot.answer ??= { order, device, exit, site, strikesEnded, isCounted }
    return slot.answer
  }
}
