import type { RotationTrigger } from '../contract/index.ts'
import type { RotationResult } from '../events.ts'
import type { DeviceRecord, DeviceSource, SourceListener } from './device-source.ts'

/** A fixed list of devices. `rotate` is what turns them. */
export class StaticSource implements DeviceSource {
  readonly mayGrow = false
  readonly rotate: (id: string, trigger: RotationTrigger) => Promise<RotationResult>
  readonly #devices: readonly DeviceRecord[]

  constructor(devices: readonly DeviceRecord[], rotate: (id: string, trigger: RotationTrigger) => Promise<RotationResult>) {
    this.#devices = devices
    this.rotate = rotate
  }

  start(listener: SourceListener): void {
    listener.onSnapshot(this.#devices)
  }

  async close(): Promise<void> {}
}
