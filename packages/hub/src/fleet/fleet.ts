import type { AgentHeartbeatJson, DeviceCondition, DeviceStatus } from '@mobilepool/sdk/contract'
import type { Logger } from 'pino'
import type { Refusal } from '../errors.ts'
import { RateLimit } from '../rate-limit.ts'
import { type DeviceSettings, normalProxyUrl, type Store } from '../store/index.ts'
import { limitKey } from './address.ts'
import { dataUseOf } from './data-plan.ts'
import { type Device, type DeviceDefaults, exitOf, fromRecord, newPendingDevice, settingsOf } from './device.ts'
import { DeviceIndex } from './device-index.ts'
import type { FleetEvents } from './events.ts'
import { seeAddress } from './exit-ip.ts'
import { type BeatFate, HeartbeatWriter } from './heartbeat-writer.ts'
import type { Raffle } from './raffle.ts'
import { isSilent, isUp, silentFrom, statusOf, type Timeouts, type Watch } from './status.ts'
import { conditionOf, type Sight, type VigilSettings } from './vigil.ts'

/** What the fleet is told at its start. */
export interface FleetOptions {
  /** Adopted devices, and as many pending names. */
  maxDevices: number
  newNamesPerMinute: number
  timeouts: Timeouts
  newDevice: DeviceDefaults
  /** When a silence is a long one; it may change while the hub runs. */
  vigil: () => VigilSettings
}

/** What the fleet works with. */
export interface FleetParts {
  store: Store
  events: FleetEvents
  log: Logger
  now: () => number
  newId: () => string
}

/** A heartbeat that was taken. */
export interface TakenHeartbeat {
  device: Device
  ipChanged: boolean
  /** Resolves when it is in the database or refused there, or when the database is away. */
  written: Promise<BeatFate>
}

const NOBODY: ReadonlySet<string> = new Set()

/** All devices, in memory: what is set (written before it counts) and what is seen (written in groups, soon after). */
export class Fleet {
  readonly #options: FleetOptions
  readonly #parts: FleetParts
  readonly #writer: HeartbeatWriter
  readonly #newNames: RateLimit
  readonly #index = new DeviceIndex()
  /** The status of each device as it was last announced. */
  readonly #announced = new Map<string, DeviceStatus>()
  /** Devices that were heard since the last tick. */
  readonly #heard = new Set<Device>()
  #gatewayUrl: string | null = null
  #busyNow: () => ReadonlySet<string> = () => NOBODY
  /** Devices that were full when the gateway was asked last. */
  #busy: ReadonlySet<string> = NOBODY
  #turn: Promise<unknown> = Promise.resolve()
  #watch: Watch

  private constructor(options: FleetOptions, parts: FleetParts, watch: Watch) {
    this.#options = options
    this.#parts = parts
    this.#watch = watch
    this.#newNames = new RateLimit(options.newNamesPerMinute)
    const stored = (ids: readonly string[], renamed: ReadonlyMap<string, string>): void => {
      for (const id of ids) {
        const device = this.#index.byId(id)
        if (device) device.isStored = true
      }
      for (const [given, id] of renamed) this.#takeId(given, id)
    }
    const told = { stored, refused: (id: string) => this.#forgetUnstored(id) }
    this.#writer = new HeartbeatWriter(parts.store.heartbeats, options.newDevice, told, parts.log)
  }

  /** The fleet as the store has it. @throws HubError `database_down` */
  static async load(options: FleetOptions, parts: FleetParts): Promise<Fleet> {
    const [records, before] = await Promise.all([parts.store.devices.all(), parts.store.pulse.last()])
    const fleet = new Fleet(options, parts, { since: parts.now(), before })
    for (const record of records) fleet.#index.add(fromRecord(record))
    for (const device of fleet.all) fleet.#announced.set(device.id, fleet.status(device))
    return fleet
  }

  /** Adopted and pending ones, in no order. */
  get all(): Iterable<Device> {
    return this.#index.all
  }

  /** Adopted and pending ones, by name. */
  get devices(): readonly Device[] {
    return this.#index.sorted
  }

  /** Draws from them by their weights. */
  get raffle(): Raffle {
    return this.#index.raffle
  }

  /** Devices whose latest heartbeat is not written yet. */
  get waiting(): number {
    return this.#writer.waiting
  }

  /** A device by its UUID or its name. */
  find(ref: string): Device | null {
    return this.#index.byId(ref.toLowerCase()) ?? this.#index.byName(ref) ?? null
  }

  /** A device by its name alone: a name may look like another device's UUID. */
  findByName(name: string): Device | null {
    return this.#index.byName(name) ?? null
  }

  status(device: Device): DeviceStatus {
    return statusOf(device, this.#parts.now(), this.#watch, this.#options.timeouts, this.#busy.has(device.id))
  }

  /** What is seen of a device now. */
  sight(device: Device): Sight {
    const { timeouts, vigil } = this.#options
    const now = this.#parts.now()
    const { silentAfterMs } = vigil()
    // One that was not silent for long yet when the hub went away is given that time anew.
    const patience = { agentMs: Math.max(timeouts.agentMs, silentAfterMs), bareMs: Math.max(timeouts.bareMs, silentAfterMs) }
    return {
      isSilent: isSilent(device, now, this.#watch, timeouts),
      silentFrom: silentFrom(device, this.#watch, patience),
      lastHeartbeat: device.lastHeartbeat,
      now,
    }
  }

  /** What its SIM has used since the month of its data plan began. */
  dataUse(device: Device): { since: number; bytes: number } {
    return dataUseOf(device, this.#parts.now())
  }

  /** How steadily a device is heard. */
  condition(device: Device): DeviceCondition {
    return conditionOf(device.vigil, this.sight(device), this.#options.vigil())
  }

  /** How many devices somebody has adopted. */
  get adoptedCount(): number {
    return this.#index.adoptedCount
  }

  /** A heartbeat of a name, from a normal address. An unknown name becomes a pending device, within the limits. */
  hear(name: string, address: string): TakenHeartbeat | Refusal {
    const known = this.#index.byName(name)
    if (known) return this.see(known, address)
    const now = this.#parts.now()
    const { maxDevices, newNamesPerMinute, newDevice } = this.#options
    const waitMs = this.#newNames.take(limitKey(address), now)
    if (waitMs > 0) {
      const retryAfter = Math.ceil(waitMs / 1000)
      const detail = `${address} brings more than ${newNamesPerMinute} new names a minute (NEW_NAMES_PER_MINUTE). Try again in ${retryAfter} s.`
      return { code: 'too_many_requests', detail, retryAfter }
    }
    if (this.#index.pendingCount >= maxDevices) {
      const detail = `${maxDevices} names wait to be adopted, and no more are taken (MAX_DEVICES). Adopt or delete some, or raise the limit.`
      this.#tellLimit(detail)
      return { code: 'device_limit', detail }
    }
    const device = newPendingDevice(this.#parts.newId(), name, now, newDevice)
    this.#index.add(device)
    return this.see(device, address)
  }

  /** A known device was heard from a normal address. */
  see(device: Device, address: string): TakenHeartbeat {
    const now = this.#parts.now()
    const { exits, changed, oldIp, stints } = seeAddress(device.exits, address, now)
    device.exits = exits
    device.lastHeartbeat = now
    if (changed) device.ipChanges += 1
    this.#heard.add(device)
    this.#parts.log.debug({ device: device.name, ip: address }, 'heartbeat')
    if (changed) {
      this.#parts.log.info({ device: device.name, from: oldIp, to: address }, 'IP changed')
      this.#parts.events.announce({ type: 'ip_changed', id: device.id, name: device.name, oldIp, newIp: address, at: now })
    }
    if (stints.length > 0 || this.#announced.get(device.id) !== this.status(device)) this.#announce(device)
    const written = this.#writer.write({
      deviceId: device.id,
      name: device.name,
      isNew: !device.isStored,
      createdAt: device.createdAt,
      seenAt: now,
      ip: exitOf(device)?.current ?? address,
      ipChanges: device.ipChanges,
      stints,
    })
    return { device, ipChanged: changed, written }
  }

  /** What an agent says of its device; written when it is news. @throws HubError `database_down` */
  async learn(device: Device, said: AgentHeartbeatJson): Promise<void> {
    if (said.telemetry) {
      device.telemetry = { said: said.telemetry, at: this.#parts.now() }
      this.#parts.events.announce({ type: 'telemetry', device })
    }
    const learned = {
      // Null: nobody can dial it any more, wherever it was before.
      proxyUrl: said.proxy_url === null ? null : normalProxyUrl(said.proxy_url),
      methods: said.methods,
      agentVersion: said.agent_version,
      operator: device.operator ?? said.telemetry?.operator ?? null,
    }
    const isNews = Object.entries(learned).some(([key, value]) => String(device[key as keyof typeof learned]) !== String(value))
    if (isNews) await this.edit(device, learned)
  }

  /** How many more devices may be adopted. */
  get room(): number {
    return Math.max(0, this.#options.maxDevices - this.adoptedCount)
  }

  /** Whether one more device may be adopted; null: yes. */
  refuseAdoption(): Refusal | null {
    const { maxDevices } = this.#options
    if (this.adoptedCount < maxDevices) return null
    const detail = `${maxDevices} devices are adopted, which is the limit (MAX_DEVICES). Delete some, or raise it.`
    this.#tellLimit(detail)
    return { code: 'device_limit', detail }
  }

  /**
   * Writes a device's settings, then takes them over: a new device, or all of a known one.
   * Null when another device has the name. @throws HubError `database_down`
   */
  put(settings: DeviceSettings): Promise<Device | null> {
    return this.inTurn(() => this.#put(settings))
  }

  /**
   * Writes the settings of many devices, new and known ones, all or none of them. `decide` is asked when it is their turn, so that what
   * it sees holds. False when another hub gave one of the names away meanwhile. @throws HubError `database_down`
   */
  putMany(decide: () => DeviceSettings[]): Promise<boolean> {
    return this.inTurn(async () => {
      const all = decide().map(normal)
      if (all.length === 0) return true
      if (!(await this.#parts.store.devices.putMany(all))) return false
      for (const settings of all) this.takeOver(settings)
      return true
    })
  }

  /** Changes some settings of a device; otherwise as `put`. Also null when the device is gone. */
  edit(device: Device, change: Partial<DeviceSettings>): Promise<Device | null> {
    return this.inTurn(async () => {
      const current = this.#index.byId(device.id)
      return current ? this.#put({ ...settingsOf(current), ...change, updatedAt: this.#parts.now() }) : null
    })
  }

  /** Takes over settings that are in the database already. */
  takeOver(settings: DeviceSettings): Device {
    const known = this.#index.byId(settings.id)
    const device = known ?? newPendingDevice(settings.id, settings.name, settings.createdAt, this.#options.newDevice)
    if (known) this.#index.drop(known)
    Object.assign(device, settings, { isStored: true })
    this.#index.add(device)
    this.#announce(device)
    return device
  }

  /** Removes a device with all its history. @throws HubError `database_down` */
  remove(device: Device): Promise<void> {
    return this.inTurn(async () => {
      if (this.#index.byId(device.id) !== device) return
      this.#writer.forget(device.id)
      await this.#parts.store.devices.remove(device.id)
      this.#forget(device)
    })
  }

  /** What clients reach the hub's gateway by, without credentials; null: there is none. */
  get gatewayUrl(): string | null {
    return this.#gatewayUrl
  }

  /** The gateway listens from now on: devices that have a tunnel alone can be used. `busy`: which have as many requests as they may. */
  gatewayOpened(url: string, busy: () => ReadonlySet<string>): void {
    this.#gatewayUrl = url
    this.#busyNow = busy
    for (const device of this.all) if (device.tunnel?.isConnected) this.#announce(device)
  }

  /** Something about the device changed that listeners see. */
  changed(device: Device): void {
    if (this.#index.byId(device.id)) this.#announce(device)
  }

  /** Once a second: says who was heard, whose silence has become too long, and who is busy. */
  tick(): void {
    this.#busy = this.#busyNow()
    const devices = [...this.#heard].map(({ id, lastHeartbeat }) => ({ id, lastSeen: lastHeartbeat ?? 0 }))
    this.#heard.clear()
    if (devices.length > 0) this.#parts.events.announce({ type: 'heartbeats', devices })
    for (const device of this.all) if (this.#announced.get(device.id) !== this.status(device)) this.#announce(device)
  }

  /** The hub did not listen from `before` on until now (it was suspended, or its thread was held): devices are not to blame for that. */
  resumeWatch(before: number): void {
    this.#watch = { since: this.#parts.now(), before }
  }

  /** Writes the heartbeats that wait, and stops. */
  async close(): Promise<void> {
    await this.#writer.close()
  }

  /** One change of settings after the other: two that read the same settings would undo each other. `work` must not ask for a turn itself. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work)
    this.#turn = turn.catch(() => {})
    return turn
  }

  async #put(given: DeviceSettings): Promise<Device | null> {
    const settings = normal(given)
    const holder = this.#index.byName(settings.name)
    if (holder && holder.id !== settings.id) return null
    if (!(await this.#parts.store.devices.put(settings))) return null
    return this.takeOver(settings)
  }

  #forget(device: Device): void {
    this.#index.drop(device)
    this.#announced.delete(device.id)
    this.#heard.delete(device)
    this.#parts.events.announce({ type: 'device_removed', id: device.id, name: device.name })
  }

  /** A new name that the database refused is no device: nobody could adopt it. One that it has was heard, whatever it says to that. */
  #forgetUnstored(id: string): void {
    const device = this.#index.byId(id)
    if (!device || device.isStored) return
    this.#writer.forget(id)
    this.#forget(device)
  }

  #tellLimit(detail: string): void {
    const subject = { kind: 'hub', id: 'max_devices', name: 'MAX_DEVICES' } as const
    this.#parts.events.announce({ type: 'limit_refused', subject, detail, at: this.#parts.now() })
  }

  /** Another hub had heard the name first: the device has the id that it got there, and what has been set there. */
  #takeId(given: string, id: string): void {
    const device = this.#index.byId(given)
    if (!device) return
    this.#announced.delete(given)
    this.#index.renumber(device, id)
    this.#parts.events.announce({ type: 'device_removed', id: given, name: device.name })
    this.#announce(device)
    void this.inTurn(async () => {
      const record = await this.#parts.store.devices.one(id)
      if (record) this.takeOver(settingsOf(fromRecord(record)))
    }).catch((error: unknown) =>
      this.#parts.log.warn({ err: error, device: device.name }, 'What another hub set for a device could not be read.'),
    )
  }

  #announce(device: Device): void {
    const status = this.status(device)
    const before = this.#announced.get(device.id)
    if (before !== undefined && before !== status) {
      // A device under load is busy and free again every other second.
      const level = isUp(before) && isUp(status) ? 'debug' : 'info'
      this.#parts.log[level]({ device: device.name, from: before, to: status }, 'status changed')
    }
    this.#announced.set(device.id, status)
    this.#parts.events.announce({ type: 'device', device })
  }
}

const normal = (settings: DeviceSettings): DeviceSettings =>
  settings.proxyUrl === null ? settings : { ...settings, proxyUrl: normalProxyUrl(settings.proxyUrl) }
