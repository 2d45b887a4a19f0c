import { dataUseOf, planBegan } from '../fleet/data-plan.ts'
import type { Device } from '../fleet/device.ts'
import type { FleetEvents } from '../fleet/events.ts'
import type { Fleet } from '../fleet/fleet.ts'
import type { Store, UsageEntry } from '../store/index.ts'

/** Always told, besides what the alert's rule asks for. */
const ALL = 100

/** What a SIM has used of its plan since its month began. */
export interface DataUse {
  usedBytes: number
  capBytes: number
  /** When the month began, ms. */
  since: number
}

export interface DataPlansParts {
  store: Pick<Store, 'statistics'>
  fleet: Pick<Fleet, 'devices' | 'find'>
  events: FleetEvents
  /** What is told when it is used, per cent. */
  dataPlanPercent: () => number
  now: () => number
}

/**
 * Counts what devices have used in the months of their data plans (`device.dataUse`), and tells when a plan comes to its end. Bytes are
 * those of bodies, as pools report them: headers, TLS and what does not go through a pool come on top. With several hubs a count is
 * exact after each `load` only.
 */
export class DataPlans {
  readonly #parts: DataPlansParts
  /** The level that was told, of the month that began at `since`; by device. */
  readonly #told = new Map<string, { since: number; level: number }>()

  constructor(parts: DataPlansParts) {
    this.#parts = parts
  }

  /** Counts anew from the database. @throws HubError `database_down` */
  async load(): Promise<void> {
    const { store, fleet, now } = this.#parts
    const since = new Map(fleet.devices.map(({ id, dataCapDay }) => [id, planBegan(dataCapDay, now())]))
    if (since.size === 0) return
    const bytes = await store.statistics.bytesSince(since)
    for (const [id, began] of since) {
      const device = fleet.find(id)
      if (!device) continue
      device.dataUse = { since: began, bytes: bytes.get(id) ?? 0 }
      this.#tell(device)
    }
  }

  /** Counts attempts. Those of every device, since a plan may be given to it any day. */
  add(entries: readonly UsageEntry[]): void {
    const now = this.#parts.now()
    const touched = new Set<Device>()
    for (const { deviceId, bytesIn, bytesOut, at } of entries) {
      const device = this.#parts.fleet.find(deviceId)
      if (!device) continue
      const { since, bytes } = dataUseOf(device, now)
      device.dataUse = { since, bytes: at >= since ? bytes + bytesIn + bytesOut : bytes }
      touched.add(device)
    }
    for (const device of touched) this.#tell(device)
  }

  /** A device was changed: its plan may have got another first day. */
  look(device: Device): void {
    const since = planBegan(device.dataCapDay, this.#parts.now())
    if (!device.dataUse || device.dataUse.since === since) return
    device.dataUse = { since, bytes: 0 }
    void this.#recount(device.id, since)
  }

  /** Of the devices that have a plan. */
  all(): Map<string, DataUse> {
    const plans = new Map<string, DataUse>()
    for (const device of this.#parts.fleet.devices) {
      const use = this.#useOf(device)
      if (use) plans.set(device.id, use)
    }
    return plans
  }

  /** Of one device; null: it has no plan. */
  of(id: string): DataUse | null {
    const device = this.#parts.fleet.find(id)
    return device && this.#useOf(device)
  }

  forget(id: string): void {
    this.#told.delete(id)
  }

  async #recount(id: string, since: number): Promise<void> {
    const { store, fleet } = this.#parts
    // With the database away the next `load` counts.
    const bytes = await store.statistics.bytesSince(new Map([[id, since]])).catch(() => null)
    const device = fleet.find(id)
    if (!bytes || device?.dataUse?.since !== since) return
    device.dataUse = { since, bytes: bytes.get(id) ?? 0 }
    this.#tell(device)
  }

  #useOf(device: Device): DataUse | null {
    if (device.dataCapBytes === null) return null
    const { since, bytes } = dataUseOf(device, this.#parts.now())
    return { since, capBytes: device.dataCapBytes, usedBytes: bytes }
  }

  #tell(device: Device): void {
    const { events, dataPlanPercent, now } = this.#parts
    const use = this.#useOf(device)
    if (!use) return
    const { since, usedBytes, capBytes } = use
    const { id, name } = device
    const percent = (usedBytes / capBytes) * 100
    const level = [ALL, dataPlanPercent()].find((at) => percent >= at) ?? 0
    const told = this.#told.get(id)
    // A plan that grew has its share to be used again.
    this.#told.set(id, { since, level })
    if (level === 0 || (told?.since === since && level <= told.level)) return
    events.announce({ type: 'data_plan', id, name, percent: level, usedBytes, capBytes, at: now() })
  }
}
