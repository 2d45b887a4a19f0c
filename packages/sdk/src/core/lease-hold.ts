import type { Device } from './device.ts'
import type { Breach, Sticky } from './view.ts'

/**
 * What ties a lease to its device. `keep`: it is for one exit IP, and over as soon as the device is about to get another. `follow`: it is for
 * the device, whatever its IP. Over is over: a device that comes back does not bring the lease back.
 */
export class LeaseHold implements Sticky {
  readonly key = null
  readonly device: Device
  readonly #keepsIp: boolean
  readonly #isBanned: (() => boolean) | null
  #exitIp: string | null
  #epoch: number
  /** Rotations of its own under way. */
  #turns = 0
  #breach: Breach | null = null

  /** `isBanned`: whether its exit IP of now is banned at the site that it is for; null: a ban does not end it. */
  constructor(device: Device, ip: 'keep' | 'follow', isBanned: (() => boolean) | null = null) {
    this.device = device
    this.#isBanned = isBanned
    this.#keepsIp = ip === 'keep'
    this.#exitIp = device.exitIp
    this.#epoch = device.exitEpoch
  }

  /** Why it is over; null: it is not. Found by how the device stands whenever somebody asks, and final from then on. */
  get breach(): Breach | null {
    this.#breach ??= this.#look()
    return this.#breach
  }

  /** The exit IP that it is for, or the last one that it had; null: not known. */
  get exitIp(): string | null {
    if (this.breach === null) this.#exitIp = this.device.exitIp
    return this.#exitIp
  }

  accepts(device: Device): boolean {
    return device === this.device && this.breach === null
  }

  taken(): void {}

  failed(): void {}

  /** It is given back. */
  release(): void {
    this.#breach ??= { kind: 'lease_released', device: this.device }
  }

  /** A rotation of its own begins: that the IP changes is what it is for. */
  beginTurn(): void {
    this.#turns++
  }

  /** That rotation is over: from now on it is for the exit IP that the device has now. */
  endTurn(): void {
    this.#turns--
    this.#epoch = this.device.exitEpoch
  }

  #look(): Breach | null {
    const { device } = this
    // A hub that says "rotating" says "not online" as well.
    if (!device.online && !device.rotating && !device.returning) return { kind: 'lease_lost', device, why: 'offline' }
    if (device.rest?.reason === 'ejected') return { kind: 'lease_lost', device, why: 'ejected' }
    if (this.#turns > 0) return null
    if (this.#isBanned?.()) return { kind: 'lease_lost', device, why: 'banned' }
    if (!this.#keepsIp) return null
    if (device.exitEpoch !== this.#epoch) return { kind: 'lease_lost', device, why: 'ip_changed', oldIp: this.#exitIp }
    return device.rotating ? { kind: 'lease_lost', device, why: 'rotating', oldIp: this.#exitIp } : null
  }
}
