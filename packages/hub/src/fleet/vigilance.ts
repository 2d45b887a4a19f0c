import type { Logger } from 'pino'
import { isDatabaseDown, type Store } from '../store/index.ts'
import { type Device, isPending } from './device.ts'
import type { Fleet } from './fleet.ts'
import { firstSight, type VigilNews, type VigilSettings, watch } from './vigil.ts'

export interface VigilanceParts {
  fleet: Pick<Fleet, 'all' | 'sight' | 'changed'>
  store: { devices: Pick<Store['devices'], 'setSilences'> }
  /** They may change while the hub runs. */
  settings: () => VigilSettings
  /** Since when a device flaps that was told to, before the hub was started; null: it was not. */
  flappingSince: (deviceId: string) => number | null
  log: Logger
}

/**
 * Watches over the adopted devices and notes who falls silent, who is back and who flaps: `device.vigil`, the one place where that is
 * decided; a device's `condition` shows it, alerts tell it. Which silences were noted is kept in the database, so that a hub that was
 * restarted neither tells one twice nor forgets the recovery.
 */
export class Vigilance {
  readonly #parts: VigilanceParts
  /** Devices whose told silence is not written yet. */
  readonly #unwritten = new Set<Device>()
  #writing: Promise<void> | null = null

  constructor(parts: VigilanceParts) {
    this.#parts = parts
  }

  /** Once a second. */
  tick(): void {
    for (const device of this.#parts.fleet.all) this.#look(device)
    this.#write()
  }

  /** Waits for what is being written. */
  async close(): Promise<void> {
    await this.#writing
    this.#write()
    await this.#writing
  }

  #look(device: Device): void {
    const { fleet, settings, flappingSince } = this.#parts
    if (isPending(device) || device.maintenance) {
      this.#dismiss(device)
      return
    }
    // Silence is what a rotation looks like.
    if (device.rotation !== null && device.rotation.state !== 'queued') return
    const sight = fleet.sight(device)
    const before = device.vigil ?? firstSight(sight, { silentSince: device.silentSince, flappingSince: flappingSince(device.id) })
    const { vigil, news } = watch(before, sight, settings())
    device.vigil = vigil
    this.#remember(device, vigil.silentSince)
    for (const one of news) this.#tell(device, one)
    if (news.length > 0) fleet.changed(device)
  }

  /** Nobody wants to be told of the device any more. */
  #dismiss(device: Device): void {
    device.vigil = null
    if (device.silentSince === null) return
    this.#tell(device, { type: 'back', silentSince: device.silentSince })
    this.#remember(device, null)
  }

  #tell(device: Device, news: VigilNews): void {
    const { log } = this.#parts
    const line = { device: device.name, lastHeartbeat: device.lastHeartbeat }
    if (news.type === 'silent') log.warn(line, 'The device has been silent for too long.')
    else if (news.type === 'back') log.info(line, 'The device’s silence is over.')
    else
      log.warn({ ...line, isUp: news.isUp }, news.phase === 'began' ? 'The device comes and goes.' : 'The device no longer comes and goes.')
  }

  #remember(device: Device, silentSince: number | null): void {
    if (device.silentSince === silentSince) return
    device.silentSince = silentSince
    this.#unwritten.add(device)
  }

  /** What the database does not take now is written with the next tick. */
  #write(): void {
    if (this.#unwritten.size === 0 || this.#writing !== null) return
    const { store, log } = this.#parts
    const devices = [...this.#unwritten]
    this.#unwritten.clear()
    this.#writing = store.devices
      .setSilences(devices)
      .catch((error: unknown) => {
        for (const device of devices) this.#unwritten.add(device)
        if (!isDatabaseDown(error)) log.error({ err: error }, 'Which devices are silent could not be written.')
      })
      .finally(() => {
        this.#writing = null
      })
  }
}
