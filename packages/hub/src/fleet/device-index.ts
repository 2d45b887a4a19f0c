import { type Device, isPending } from './device.ts'
import { Raffle } from './raffle.ts'

/** The devices of a fleet by id and by name, and in the orders in which they are asked for. */
export class DeviceIndex {
  readonly #byId = new Map<string, Device>()
  readonly #byName = new Map<string, Device>()
  #pendingCount = 0
  /** By name; null: to be sorted again. */
  #sorted: readonly Device[] | null = null
  #raffle: Raffle | null = null

  /** Adopted and pending ones, in no order. */
  get all(): Iterable<Device> {
    return this.#byId.values()
  }

  /** The same by name. */
  get sorted(): readonly Device[] {
    this.#sorted ??= [...this.#byId.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
    return this.#sorted
  }

  /** Draws from them by their weights. */
  get raffle(): Raffle {
    this.#raffle ??= new Raffle(this.sorted)
    return this.#raffle
  }

  /** Names that nobody has adopted. */
  get pendingCount(): number {
    return this.#pendingCount
  }

  /** How many devices somebody has adopted. */
  get adoptedCount(): number {
    return this.#byId.size - this.#pendingCount
  }

  byId(id: string): Device | undefined {
    return this.#byId.get(id)
  }

  byName(name: string): Device | undefined {
    return this.#byName.get(name)
  }

  add(device: Device): void {
    this.#byId.set(device.id, device)
    this.#byName.set(device.name, device)
    this.#reorder()
    if (isPending(device)) this.#pendingCount += 1
  }

  drop(device: Device): void {
    this.#byId.delete(device.id)
    this.#byName.delete(device.name)
    this.#reorder()
    if (isPending(device)) this.#pendingCount -= 1
  }

  /** The device has another id from now on. */
  renumber(device: Device, id: string): void {
    this.#byId.delete(device.id)
    device.id = id
    this.#byId.set(id, device)
  }

  #reorder(): void {
    this.#sorted = this.#raffle = null
  }
}
