import type { RotationOutcome, RotationTrigger } from '../contract/index.ts'
import type { Device } from '../core/device.ts'
import { MobilePoolError } from '../errors.ts'
import type { Emit, RotationResult } from '../events.ts'
import type { Drains } from './drains.ts'

export interface RotationsParts {
  readonly find: (idOrName: string) => Device | undefined
  /** Makes the device rotate; resolves when the rotation is over. */
  readonly turn: (id: string, trigger: RotationTrigger, unique?: string) => Promise<RotationResult>
  readonly drains: Drains
  readonly emit: Emit
  /** The exit IP after a rotation; null when nobody knows it. */
  readonly setExitIp: (device: Device, exitIp: string | null) => void
  /** The rotation has shown that the device works. */
  readonly vouchFor: (device: Device) => void
  readonly onEnd: (device: Device) => void
}

/** Rotations of one device since the pool began. */
export interface RotationTally extends Record<RotationOutcome, number> {
  /** The last one that ended; null: none has. */
  last: RotationResult | null
}

/** All rotations that the pool knows of: its own, and those that the hub announces. One at a time a device. */
export class Rotations {
  readonly #parts: RotationsParts
  readonly #running = new Map<Device, Promise<RotationResult>>()
  /** Of all devices, those that have left too. */
  readonly total: Record<RotationOutcome, number> = { changed: 0, unchanged: 0, failed: 0 }
  readonly #tallies = new WeakMap<Device, RotationTally>()

  constructor(parts: RotationsParts) {
    this.#parts = parts
  }

  tallyOf(device: Device): Readonly<RotationTally> {
    return this.#tallies.get(device) ?? { changed: 0, unchanged: 0, failed: 0, last: null }
  }

  /** Rotates a device, by its id or name; joins the rotation that runs already. Throws when it cannot begin. */
  async rotate(idOrName: string, trigger: RotationTrigger, unique?: string): Promise<RotationResult> {
    const device = this.#parts.find(idOrName)
    if (device === undefined) throw new MobilePoolError('MP_UNKNOWN_DEVICE', `the pool has no device "${idOrName}"`, { phase: 'rotation' })
    const running = this.#running.get(device)
    if (running !== undefined) return running
    const turning = this.#parts.turn(device.id, trigger, unique)
    this.#running.set(device, turning)
    try {
      return await turning
    } finally {
      this.#running.delete(device)
    }
  }

  /** A rotation is announced or under way: the device drains. */
  noteRunning(id: string): void {
    const device = this.#parts.find(id)
    if (device !== undefined) void this.#parts.drains.begin(device, 'rotation')
  }

  /** A rotation waits, for its first attempt or another: the device takes requests meanwhile. */
  noteWaiting(id: string): void {
    const device = this.#parts.find(id)
    if (device !== undefined) this.#parts.drains.end(device, 'rotation')
  }

  /** A rotation is over: the device takes requests again, with the exit IP that it has now. */
  noteEnd(result: RotationResult): void {
    const { find, drains, emit, setExitIp, vouchFor, onEnd } = this.#parts
    const device = find(result.deviceId)
    // The hub tells of its whole fleet; a filter may have left this device out.
    if (device === undefined) return
    const tally = this.#tallies.get(device) ?? { changed: 0, unchanged: 0, failed: 0, last: null }
    tally[result.outcome]++
    this.total[result.outcome]++
    tally.last = result
    this.#tallies.set(device, tally)
    if (result.newIp !== null) setExitIp(device, result.newIp)
    if (result.outcome === 'changed') vouchFor(device)
    onEnd(device)
    drains.end(device, 'rotation')
    emit('rotationEnd', result)
  }
}
