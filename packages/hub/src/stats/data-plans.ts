import type { Device } from '../fleet/device.ts'
import type { FleetEvents } from '../fleet/events.ts'
import type { Fleet } from '../fleet/fleet.ts'
import type { Store, UsageEntry } from '../store/index.ts'
import { planBegan } from './data-plan.ts'

/** Days that a plan's month has at most. */
const MONTH_MS = 31 * 86_400_000
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
 * What devices have used in the months of their data plans, in memory. Bytes are those of bodies, as pools report them: headers, TLS
 * and what does not go through a pool come on top. With several hubs a count is exact after each `load` only.
 */
export class DataPlans {
  readonly #parts: DataPlansParts
  /** By device; of the month that began at `since`. */
  readonly #used = new Map<string, { since: number; bytes: number; told: number }>()

  constructor(parts: DataPlansParts) {
    this.#parts = parts
  }

  /** Counts anew from the database. @throws HubError `database_down` */
  async load(): Promise<void> {
    const { store, fleet, now } = this.#parts
    const since = new Map<string, number>()
    for (const { id, dataCapBytes, dataCapDay } of fleet.devices) if (dataCapBytes !== null) since.set(id, planBegan(dataCapDay, now()))
    if (since.size === 0) return
    const bytes = await store.statistics.bytesSince(since)
    for (const [id, began] of since) {
      const known = this.#used.get(id)
      this.#used.set(id, { since: began, bytes: bytes.get(id) ?? 0, told: known?.since === began ? known.told : 0 })
      this.#tell(id)
    }
  }

  /** Counts attempts. Those of every device, since a plan may be given to it any day. */
  add(entries: readonly UsageEntry[]): void {
    const now = this.#parts.now()
    const touched = new Set<string>()
    for (const { deviceId, bytesIn, bytesOut, at } of entries) {
      const device = this.#parts.fleet.find(deviceId)
      if (!device || at < now - MONTH_MS) continue
      const since = planBegan(device.dataCapDay, now)
      let used = this.#used.get(deviceId)
      if (used?.since !== since) {
        used = { since, bytes: 0, told: 0 }
        this.#used.set(deviceId, used)
      }
      if (at >= since) used.bytes += bytesIn + bytesOut
      touched.add(deviceId)
    }
    for (const id of touched) this.#tell(id)
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
    this.#used.delete(id)
  }

  #useOf({ id, dataCapBytes, dataCapDay }: Device): DataUse | null {
    if (dataCapBytes === null) return null
    const since = planBegan(dataCapDay, this.#parts.now())
    const used = this.#used.get(id)
    return { since, capBytes: dataCapBytes, usedBytes: used?.since === since ? used.bytes : 0 }
  }

  #tell(id: string): void {
    const { fleet, events, dataPlanPercent, now } = this.#parts
    const device = fleet.find(id)
    const used = this.#used.get(id)
    if (!device || !used || device.dataCapBytes === null) return
    const percent = (used.bytes / device.dataCapBytes) * 100
    const level = [ALL, dataPlanPercent()].find((at) => percent >= at) ?? 0
    const isNews = level > used.told
    // A plan that grew has its share to be used again.
    used.told = level
    if (!isNews) return
    events.announce({
      type: 'data_plan',
      id,
      name: device.name,
      percent: level,
      usedBytes: used.bytes,
      capBytes: device.dataCapBytes,
      at: now(),
    })
  }
}
