import type { Device } from '../device.ts'

/** Whose rotation waits and whose runs; at most so many run at once, the rest takes turns in the order of asking. */
export class Turns {
  /** In the order in which they were asked for. */
  readonly #waiting = new Set<Device>()
  readonly #away = new Set<Device>()

  get waiting(): ReadonlySet<Device> {
    return this.#waiting
  }

  get away(): ReadonlySet<Device> {
    return this.#away
  }

  /** The device's rotation waits, behind those that wait already. */
  wait(device: Device): void {
    this.#away.delete(device)
    this.#waiting.add(device)
  }

  /** It runs. */
  go(device: Device): void {
    this.#waiting.delete(device)
    this.#away.add(device)
  }

  /** It is over. */
  leave(device: Device): void {
    this.#waiting.delete(device)
    this.#away.delete(device)
  }

  /**
   * Lets those that may go, go, while there are places; a place freed or taken meanwhile counts.
   * Who may not go yet (its device is offline, its next attempt is not due) keeps nobody behind it waiting.
   */
  async grant(places: () => number, mayGo: (device: Device) => boolean, go: (device: Device) => Promise<void>): Promise<void> {
    // Those that come meanwhile are seen, too: a set is walked as it grows.
    for (const device of this.#waiting) {
      if (this.#away.size >= places()) return
      if (mayGo(device)) await go(device)
    }
  }
}
