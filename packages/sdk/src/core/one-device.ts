import type { Device } from './device.ts'
import type { Sticky } from './view.ts'

/** Keeps requests on the device that the first of them got, for as long as that serves them: the hops of one `fetch`. */
export class OneDevice implements Sticky {
  readonly key = null
  readonly breach = null
  device: Device | null = null

  accepts(device: Device): boolean {
    const { device: own } = this
    return own === null || own === device || own.rotating || !own.online || own.rest !== null
  }

  taken(device: Device): void {
    this.device = device
  }

  failed(): void {
    this.device = null
  }
}
