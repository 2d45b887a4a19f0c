/** Counts of one device since this process started: by a label's value, e.g. requests by status class. */
type Counts = Map<string, number>

/** Counters per device, kept by id so that a renamed device goes on counting and a removed one leaves nothing behind. */
export class DeviceTallies {
  readonly #byDevice = new Map<string, Counts>()

  add(deviceId: string, key: string, by = 1): void {
    let counts = this.#byDevice.get(deviceId)
    if (!counts) {
      counts = new Map()
      this.#byDevice.set(deviceId, counts)
    }
    counts.set(key, (counts.get(key) ?? 0) + by)
  }

  /** A device was removed. */
  forget(deviceId: string): void {
    this.#byDevice.delete(deviceId)
  }

  entries(): Iterable<[deviceId: string, counts: ReadonlyMap<string, number>]> {
    return this.#byDevice
  }
}
