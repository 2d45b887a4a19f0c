import type { Device } from '../fleet/device.ts'
import { isPending } from '../fleet/device.ts'

/** Label of all devices past the limit, together. */
const OTHER = 'other'

/** The value of the label `device` for each adopted device: its name, up to a number of devices, so that a large fleet does not flood Prometheus. */
export class DeviceLabels {
  readonly #named = new Map<string, Device>()
  readonly #isCut: boolean

  /** `devices` in the order in which they are shown. */
  constructor(devices: readonly Device[], limit: number) {
    const adopted = devices.filter((device) => !isPending(device))
    for (const device of adopted.slice(0, limit)) this.#named.set(device.id, device)
    this.#isCut = adopted.length > limit
  }

  /** Devices that have series of their own. */
  get named(): Iterable<Device> {
    return this.#named.values()
  }

  /** Null for a device that is pending or gone. */
  of(deviceId: string): string | null {
    const device = this.#named.get(deviceId)
    if (device) return device.name
    return this.#isCut ? OTHER : null
  }
}
