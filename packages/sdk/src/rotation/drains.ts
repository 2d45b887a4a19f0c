import type { Clock } from '../clock.ts'
import type { Device } from '../core/device.ts'
import type { Transport } from '../dispatch/transport.ts'
import type { Emit } from '../events.ts'

/** Who keeps a device drained: a rotation that we know of, or its status alone. */
export type DrainReason = 'rotation' | 'status'

export interface DrainParts {
  readonly clock: Clock
  readonly emit: Emit
  readonly transportOf: (device: Device) => Transport | undefined
  readonly setRotating: (device: Device, rotating: boolean) => void
  /** How long requests in flight may take to finish. */
  readonly graceMs: number
}

/** A drain whose end was never told (the hub died in the middle) ends by itself: longer than any rotation takes. */
const LONGEST_DRAIN_MS = 600_000

/**
 * Drained devices: no new request, idle sockets closed at once (so that the device sees itself drained), TLS sessions forgotten,
 * requests in flight given time to finish.
 */
export class Drains {
  readonly #parts: DrainParts
  readonly #drained = new Map<
    Device,
    { readonly reasons: Set<DrainReason>; readonly callOff: () => void; readonly emptied: Promise<void> }
  >()

  constructor(parts: DrainParts) {
    this.#parts = parts
  }

  /** Drains the device, once. Resolves when nothing of it is in flight any more. */
  begin(device: Device, reason: DrainReason): Promise<void> {
    const known = this.#drained.get(device)
    if (known !== undefined) {
      known.reasons.add(reason)
      return known.emptied
    }
    const { clock, emit, transportOf, setRotating, graceMs } = this.#parts
    setRotating(device, true)
    const emptied = transportOf(device)?.renew(graceMs) ?? Promise.resolve()
    const callOff = clock.schedule(LONGEST_DRAIN_MS, () => {
      this.end(device, 'rotation')
      this.end(device, 'status')
    })
    this.#drained.set(device, { reasons: new Set([reason]), callOff, emptied })
    emit('rotationStart', { deviceId: device.id, device: device.facts.name })
    return emptied
  }

  /** This reason is over; with the last one the device takes requests again. */
  end(device: Device, reason: DrainReason): void {
    const drain = this.#drained.get(device)
    if (drain === undefined) return
    drain.reasons.delete(reason)
    if (drain.reasons.size > 0) return
    drain.callOff()
    this.#drained.delete(device)
    this.#parts.setRotating(device, false)
  }

  /** Forgets all drains and their timers. */
  close(): void {
    for (const { callOff } of this.#drained.values()) callOff()
    this.#drained.clear()
  }
}
