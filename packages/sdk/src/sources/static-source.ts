import type { DeviceRecord, DeviceSource, SourceListener } from './device-source.ts'

/** A fixed list of devices. `rotate` is what turns them. */
export class StaticSource implements DeviceSource {
  readonly mayGrow = false
  readonly rotate: DeviceSource['rotate']
  readonly #devices: readonly DeviceRecord[]

  constructor(devices: readonly DeviceRecord[], rotate: DeviceSource['rotate']) {
    this.#devices = devices
    this.rotate = rotate
  }

  start(listener: SourceListener): void {
    listener.onSnapshot(this.#devices)
  }

  async close(): Promise<void> {}
}
