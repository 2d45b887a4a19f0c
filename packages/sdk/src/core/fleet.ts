import type { Device } from './device.ts'

/**
 * All devices, and those that may get new requests as an array of their own,
 * so that a balancer never walks over devices that are down.
 */
export class Fleet {
  readonly #byId = new Map<string, Device>()
  readonly #ready: Device[] = []
  readonly #resting = new Set<Device>()
  #earliestReturn = Number.POSITIVE_INFINITY

  get size(): number {
    return this.#byId.size
  }

  get ready(): readonly Device[] {
    return this.#ready
  }

  /** When the first resting device comes back; infinity when none rests. */
  get earliestReturn(): number {
    return this.#earliestReturn
  }

  all(): IterableIterator<Device> {
    return this.#byId.values()
  }

  get(id: string): Device | undefined {
    return this.#byId.get(id)
  }

  add(device: Device): void {
    this.#byId.set(device.id, device)
    this.place(device)
  }

  remove(device: Device): void {
    this.#byId.delete(device.id)
    this.#resting.delete(device)
    this.#leaveReady(device)
  }

  /** To be called after every change of a device's state: puts it into the ready list or takes it out. */
  place(device: Device): void {
    if (device.rest === null) this.#resting.delete(device)
    else {
      this.#resting.add(device)
      this.#earliestReturn = Math.min(this.#earliestReturn, device.rest.until)
    }
    const belongs = this.#byId.get(device.id) === device && device.online && !device.rotating && device.rest === null
    if (!belongs) this.#leaveReady(device)
    else if (device.readyIndex < 0) device.readyIndex = this.#ready.push(device) - 1
  }

  /** The devices whose rest is over. */
  rested(now: number): Device[] {
    if (this.#earliestReturn > now) return []
    const over = [...this.#resting].filter((device) => device.rest !== null && device.rest.until <= now)
    for (const device of over) this.#resting.delete(device)
    this.#earliestReturn = Math.min(
      Number.POSITIVE_INFINITY,
      ...[...this.#resting].map((device) => device.rest?.until ?? Number.POSITIVE_INFINITY),
    )
    return over
  }

  #leaveReady(device: Device): void {
    const index = device.readyIndex
    if (index < 0) return
    device.readyIndex = -1
    const last = this.#ready.pop()
    if (last === undefined || last === device) return
    this.#ready[index] = last
    last.readyIndex = index
  }
}
