import type { Clock } from '../clock.ts'
import type { Applicant } from '../core/admission-queue.ts'
import type { Device, DeviceFacts } from '../core/device.ts'
import type { PoolCore } from '../core/pool-core.ts'
import { Transport, type TransportSettings } from '../dispatch/transport.ts'
import type { Emit } from '../events.ts'
import type { DeviceRecord } from './device-source.ts'
import { type DeviceFilter, matchesFilter } from './filter.ts'

export interface RosterParts<A extends Applicant> {
  readonly core: PoolCore<A>
  readonly clock: Clock
  readonly emit: Emit
  readonly filter: DeviceFilter
  readonly transport: TransportSettings
  /** How long requests in flight may take when their connections are thrown away. */
  readonly graceMs: number
  readonly onAdded: (device: Device) => void
  readonly onRemoved: (device: Device) => void
}

interface Entry {
  readonly device: Device
  record: DeviceRecord
  transport: Transport | null
}

/** Keeps the devices that the core knows, and their connections, in step with what the source says. */
export class Roster<A extends Applicant> {
  readonly #parts: RosterParts<A>
  readonly #entries = new Map<string, Entry>()
  readonly #byDevice = new Map<Device, Entry>()
  /** Transports of devices that left, until their last request is over. */
  readonly #leaving = new Set<Transport>()

  constructor(parts: RosterParts<A>) {
    this.#parts = parts
  }

  /** A device by its id or its name. */
  find(idOrName: string): Device | undefined {
    const byId = this.#entries.get(idOrName)
    if (byId !== undefined) return byId.device
    for (const { device } of this.#entries.values()) if (device.facts.name === idOrName) return device
    return undefined
  }

  transportOf(device: Device): Transport | undefined {
    return this.#byDevice.get(device)?.transport ?? undefined
  }

  recordOf(device: Device): DeviceRecord | undefined {
    return this.#byDevice.get(device)?.record
  }

  /** The whole fleet anew. */
  replaceAll(records: readonly DeviceRecord[]): void {
    const ids = new Set(records.map(({ id }) => id))
    for (const id of [...this.#entries.keys()]) if (!ids.has(id)) this.remove(id)
    for (const record of records) this.put(record)
  }

  /** Adds a device or changes it; one that the filter leaves out is removed. */
  put(record: DeviceRecord): void {
    if (!matchesFilter(record, this.#parts.filter)) {
      this.remove(record.id)
      return
    }
    const entry = this.#entries.get(record.id) ?? this.#add(record)
    entry.record = record
    this.#parts.core.setFacts(entry.device, factsOf(record))
    this.#reach(entry)
    if (record.exitIp !== null) this.setExitIp(record.id, record.exitIp)
    this.#parts.core.setOnline(entry.device, record.isOnline && record.proxyUrl !== null, record.isReturning)
  }

  remove(id: string): void {
    const entry = this.#entries.get(id)
    if (entry === undefined) return
    this.#entries.delete(id)
    this.#byDevice.delete(entry.device)
    this.#parts.core.removeDevice(entry.device)
    this.#parts.onRemoved(entry.device)
    if (entry.transport !== null) this.#retire(entry.transport)
    this.#parts.emit('deviceRemoved', { deviceId: id, device: entry.device.facts.name })
  }

  /** Another exit IP: its bans are others. Unless a rotation drained the device before, its connections are from the old IP: they go. */
  setExitIp(id: string, exitIp: string): void {
    const entry = this.#entries.get(id)
    if (entry === undefined || entry.device.exitIp === exitIp) return
    const oldIp = entry.device.exitIp
    this.#parts.core.setExitIp(entry.device, exitIp, this.#parts.clock.now())
    if (oldIp === null) return
    if (!entry.device.rotating) void entry.transport?.renew(this.#parts.graceMs)
    this.#parts.emit('ipChanged', { deviceId: id, device: entry.device.facts.name, oldIp, newIp: exitIp })
  }

  /** Closes all connections, those in use too. */
  async destroy(error: Error): Promise<void> {
    const transports = [...this.#entries.values()].flatMap(({ transport }) => (transport === null ? [] : [transport]))
    await Promise.all([...transports, ...this.#leaving].map((transport) => transport.destroy(error)))
  }

  #add(record: DeviceRecord): Entry {
    const device = this.#parts.core.addDevice(factsOf(record), record.exitIp, this.#parts.clock.now())
    const entry: Entry = { device, record, transport: null }
    this.#entries.set(record.id, entry)
    this.#byDevice.set(device, entry)
    this.#parts.onAdded(device)
    this.#parts.emit('deviceAdded', { deviceId: record.id, device: record.name })
    return entry
  }

  /** Makes the transport match where the device is to be reached. */
  #reach(entry: Entry): void {
    const { proxyUrl, tunnel, id, name } = entry.record
    const { transport } = entry
    if (transport !== null && transport.target.proxyUrl === proxyUrl && transport.target.tunnel === tunnel) return
    if (transport !== null) this.#retire(transport)
    entry.transport =
      proxyUrl === null
        ? null
        : new Transport({ deviceId: id, deviceName: name, proxyUrl, tunnel }, this.#parts.transport, this.#parts.clock)
  }

  #retire(transport: Transport): void {
    this.#leaving.add(transport)
    void transport.renew(this.#parts.graceMs).finally(() => this.#leaving.delete(transport))
  }
}

const factsOf = ({ id, name, weight, tags, operator, region, type, limits }: DeviceRecord): DeviceFacts => ({
  id,
  name,
  weight,
  tags,
  operator,
  region,
  type,
  limits,
})
