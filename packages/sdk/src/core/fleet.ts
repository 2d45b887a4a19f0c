import type { Device } from './device.ts'
import { Heap } from './heap.ts'
import { capacityOf } from './limits.ts'

/** Who is told how the fleet changes. */
export interface FleetWatcher {
  joined(device: Device): void
  left(device: Device): void
  /** The device has room for one more request. */
  opened(device: Device): void
  /** It has none any more. */
  closed(device: Device): void
  /** It takes no requests any more. */
  wentDown(device: Device): void
  /** Its state may be another: online, rotating, resting, gone. */
  changed(device: Device): void
}

/**
 * All devices; those that are up (`ready`); and of these, those with room for one more request (`open`), so that nobody walks
 * over devices that are down or full. What the clock changes by itself, the end of a rest and the next cell of a paced device,
 * lies in one heap.
 */
export class Fleet {
  readonly #watcher: FleetWatcher
  readonly #byId = new Map<string, Device>()
  readonly #ready: Device[] = []
  readonly #open: Device[] = []
  readonly #alarms = new Heap<Device>(
    (one, other) => one.alarmAt < other.alarmAt,
    (device, place) => {
      device.alarmIndex = place
    },
  )
  #up = 0
  #ejected = 0

  constructor(watcher: FleetWatcher) {
    this.#watcher = watcher
  }

  get size(): number {
    return this.#byId.size
  }

  /** Those that are up, in no order that lasts. */
  get ready(): readonly Device[] {
    return this.#ready
  }

  /** Those that have room, in no order that lasts. */
  get open(): readonly Device[] {
    return this.#open
  }

  /** How many the source says are up. */
  get up(): number {
    return this.#up
  }

  /** How many of those are ejected. */
  get ejected(): number {
    return this.#ejected
  }

  /** When the clock alone changes something about a device; infinity when it does not. */
  get nextAlarm(): number {
    return this.#alarms.first?.alarmAt ?? Number.POSITIVE_INFINITY
  }

  all(): IterableIterator<Device> {
    return this.#byId.values()
  }

  get(id: string): Device | undefined {
    return this.#byId.get(id)
  }

  add(device: Device): void {
    this.#byId.set(device.id, device)
    this.#watcher.joined(device)
    this.place(device)
  }

  remove(device: Device): void {
    if (this.#byId.get(device.id) !== device) return
    this.#byId.delete(device.id)
    this.place(device)
    this.#watcher.left(device)
  }

  /** To be called after every change of a device's state: puts it into the lists where it belongs. */
  place(device: Device): void {
    const isHere = this.#byId.get(device.id) === device
    this.#count(device, isHere)
    this.#setAlarm(device, isHere)
    const isReady = isHere && device.online && !device.rotating && device.rest === null
    if (isReady && device.readyIndex < 0) device.readyIndex = this.#ready.push(device) - 1
    device.capacity = isReady ? capacityOf(device) : 0
    if (device.inFlight < device.capacity) this.#enterOpen(device)
    else this.#leaveOpen(device)
    if (!isReady && device.readyIndex >= 0) this.#leaveReady(device)
    this.#watcher.changed(device)
  }

  /** To be called when a request has begun on the device: cheaper than `place`. */
  began(device: Device): void {
    if (device.nextCellAt > 0) {
      this.#setAlarm(device, this.#byId.get(device.id) === device)
      device.capacity = 0
    }
    if (device.inFlight >= device.capacity) this.#leaveOpen(device)
  }

  /** To be called when a request has ended on the device: cheaper than `place`. */
  ended(device: Device): void {
    if (device.inFlight + 1 === device.capacity) this.#enterOpen(device)
  }

  /** Takes out the next device whose alarm is due. */
  takeDue(now: number): Device | undefined {
    return this.nextAlarm <= now ? this.#alarms.takeFirst() : undefined
  }

  #count(device: Device, isHere: boolean): void {
    const isUp = isHere && device.online
    const isEjected = isUp && device.rest?.reason === 'ejected'
    this.#up += Number(isUp) - Number(device.isCountedUp)
    this.#ejected += Number(isEjected) - Number(device.isCountedEjected)
    device.isCountedUp = isUp
    device.isCountedEjected = isEjected
  }

  #setAlarm(device: Device, isHere: boolean): void {
    const cellAt = device.nextCellAt > 0 ? device.nextCellAt : Number.POSITIVE_INFINITY
    device.alarmAt = isHere ? Math.min(device.rest?.until ?? Number.POSITIVE_INFINITY, cellAt) : Number.POSITIVE_INFINITY
    if (device.alarmAt === Number.POSITIVE_INFINITY) {
      if (device.alarmIndex >= 0) this.#alarms.removeAt(device.alarmIndex)
    } else if (device.alarmIndex < 0) this.#alarms.add(device)
    else this.#alarms.moved(device.alarmIndex)
  }

  #leaveReady(device: Device): void {
    const index = device.readyIndex
    device.readyIndex = -1
    const last = this.#ready.pop()
    if (last !== undefined && last !== device) {
      this.#ready[index] = last
      last.readyIndex = index
    }
    this.#watcher.wentDown(device)
  }

  #enterOpen(device: Device): void {
    if (device.openIndex >= 0) return
    device.openIndex = this.#open.push(device) - 1
    this.#watcher.opened(device)
  }

  #leaveOpen(device: Device): void {
    const index = device.openIndex
    if (index < 0) return
    device.openIndex = -1
    const last = this.#open.pop()
    if (last !== undefined && last !== device) {
      this.#open[index] = last
      last.openIndex = index
    }
    this.#watcher.closed(device)
  }
}
