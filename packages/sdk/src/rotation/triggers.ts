import PQueue from 'p-queue'
import type { Clock } from '../clock.ts'
import type { RotationTrigger } from '../contract/index.ts'
import type { Device } from '../core/device.ts'
import { MobilePoolError } from '../errors.ts'
import type { Emit, RotationResult } from '../events.ts'

export interface TriggerSettings {
  /** Null: no rotation by the clock. */
  readonly everyMs: number | null
  /** Requests that met a ban at a device's exit IP before it rotates. Null: no rotation by bans. */
  readonly onBanCount: number | null
  /** Between two rotations of a device for bans, at least. */
  readonly minIntervalMs: number
  /** Rotations asked for by triggers at the same time, at most. */
  readonly maxParallel: number
}

export interface TriggerParts {
  readonly clock: Clock
  readonly random: () => number
  readonly emit: Emit
  readonly devices: () => Iterable<Device>
  readonly rotate: (id: string, trigger: RotationTrigger) => Promise<RotationResult>
  /** What was asked for is over, or could not begin: who waits for it is to be looked at again. */
  readonly onSettled: () => void
}

/** Intervals differ by up to this share from device to device and from time to time, so that a fleet never rotates as one. */
const JITTER = 0.1
/** How soon a device is looked at again that was offline when its interval was over. */
const LOOK_AGAIN_MS = 5_000

/** Decides when devices rotate. A trigger never fails a request: what goes wrong is an event. */
export class Triggers {
  readonly #settings: TriggerSettings
  readonly #parts: TriggerParts
  readonly #queue: PQueue
  readonly #asked = new Set<Device>()
  /** When a device may be asked again because of bans. */
  readonly #notBefore = new WeakMap<Device, number>()
  readonly #dueAt = new WeakMap<Device, number>()
  #callOff: () => void = () => {}
  #isClosed: boolean = false

  constructor(settings: TriggerSettings, parts: TriggerParts) {
    this.#settings = settings
    this.#parts = parts
    this.#queue = new PQueue({ concurrency: settings.maxParallel })
  }

  /** To be called when devices came: their interval begins, somewhere in its course, so that they do not all end together. */
  devicesChanged(): void {
    const { everyMs } = this.#settings
    if (everyMs === null || this.#isClosed) return
    const now = this.#parts.clock.now()
    for (const device of this.#parts.devices()) {
      if (!this.#dueAt.has(device)) this.#dueAt.set(device, now + everyMs * (0.5 + this.#parts.random() / 2))
    }
    this.#setTimer()
  }

  /** The device has rotated, whoever asked for it: its interval begins anew. */
  noteRotation(device: Device): void {
    const { everyMs } = this.#settings
    if (everyMs !== null) this.#dueAt.set(device, this.#parts.clock.now() + this.#jittered(everyMs))
    this.#setTimer()
  }

  /** A request met a ban on the device. */
  noteBan(device: Device): void {
    const { onBanCount } = this.#settings
    if (onBanCount !== null && device.exit.strikes >= onBanCount) this.#ask(device, 'ban')
  }

  /**
   * Every device that is up is quarantined for the site: one of them rotates, the most banned one. Returns whether that is
   * under way, so that a request may wait for it.
   */
  helpStarved(site: string): boolean {
    if (this.#settings.onBanCount === null || this.#isClosed) return false
    if (this.#asked.size > 0) return true
    const now = this.#parts.clock.now()
    const banned = [...this.#parts.devices()].filter((device) => device.state === 'ready' && device.exit.quarantinedUntil(site, now) > 0)
    const [worst] = banned.filter((device) => this.#mayAsk(device)).sort((one, other) => other.exit.strikes - one.exit.strikes)
    return worst !== undefined && this.#ask(worst, 'ban')
  }

  /** Asks for nothing any more; resolves when what was asked for is over or off. */
  close(): void {
    this.#isClosed = true
    this.#callOff()
    this.#queue.clear()
  }

  #mayAsk(device: Device): boolean {
    return this.#parts.clock.now() >= (this.#notBefore.get(device) ?? 0)
  }

  #ask(device: Device, trigger: 'ban' | 'interval'): boolean {
    if (this.#isClosed) return false
    if (this.#asked.has(device)) return true
    if (device.rotating || (trigger === 'ban' && !this.#mayAsk(device))) return device.rotating
    this.#asked.add(device)
    void this.#queue.add(() => this.#rotate(device, trigger))
    return true
  }

  async #rotate(device: Device, trigger: RotationTrigger): Promise<void> {
    const { clock, emit, rotate, onSettled } = this.#parts
    let waitMs = this.#settings.minIntervalMs
    try {
      await rotate(device.id, trigger)
    } catch (error) {
      if (this.#isClosed) return
      if (error instanceof MobilePoolError && error.retryAfterMs !== undefined) waitMs = error.retryAfterMs
      if (error instanceof MobilePoolError && error.code === 'MP_ROTATION_UNSUPPORTED') waitMs = Number.POSITIVE_INFINITY
      if (trigger === 'interval') this.#dueAt.set(device, clock.now() + waitMs)
      emit('rotationError', {
        deviceId: device.id,
        device: device.facts.name,
        trigger,
        error: error instanceof Error ? error : new Error(String(error)),
      })
    } finally {
      this.#asked.delete(device)
      this.#notBefore.set(device, clock.now() + waitMs)
      this.#setTimer()
      onSettled()
    }
  }

  #jittered(ms: number): number {
    return ms * (1 + JITTER * (2 * this.#parts.random() - 1))
  }

  #setTimer(): void {
    if (this.#isClosed || this.#settings.everyMs === null) return
    this.#callOff()
    let earliest = Number.POSITIVE_INFINITY
    for (const device of this.#parts.devices()) earliest = Math.min(earliest, this.#dueAt.get(device) ?? Number.POSITIVE_INFINITY)
    if (!Number.isFinite(earliest)) return
    this.#callOff = this.#parts.clock.schedule(earliest - this.#parts.clock.now(), () => this.#rotateDue())
  }

  #rotateDue(): void {
    const { clock, devices } = this.#parts
    const now = clock.now()
    for (const device of devices()) {
      if ((this.#dueAt.get(device) ?? Number.POSITIVE_INFINITY) > now) continue
      // A device that is offline now is looked at again soon. When a rotation ends, or cannot begin, its next time is set anew.
      this.#dueAt.set(device, now + Math.min(LOOK_AGAIN_MS, this.#settings.everyMs ?? LOOK_AGAIN_MS))
      if (device.online) this.#ask(device, 'interval')
    }
    this.#setTimer()
  }
}
