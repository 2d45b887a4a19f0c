import type { Logger } from 'pino'
import type { Refusal } from '../../errors.ts'
import { isDatabaseDown, type RotationRecord } from '../../store/index.ts'
import { type Device, isPending } from '../device.ts'
import type { RotationWish } from './asks.ts'
import { executorOf } from './executor.ts'

/** Intervals differ by up to this share from device to device and from time to time, so that a fleet never rotates as one. */
const JITTER = 0.1
/** Rotations asked for in one look, so that a fleet that is due at once does not flood the database; the others follow a second later. */
const ASKED_AT_ONCE = 100
/** How soon a device is looked at again that cannot rotate now. */
const LOOK_AGAIN_MS = 5_000

export interface IntervalParts {
  fleet: { all: Iterable<Device>; status(device: Device): string }
  request: (devices: readonly Device[], wish: RotationWish) => Promise<(RotationRecord | Refusal)[]>
  log: Logger
  now: () => number
  random: () => number
  /** After a start nothing begins for this long: a restarted hub must not rotate the whole fleet at once. */
  startGraceMs: number
}

/** When a device's interval is over, and what that was reckoned from. */
interface Due {
  at: number
  basis: string
}

/** Asks for a rotation of each device when its interval since its last rotation, whoever asked for that, is over. */
export class IntervalRotations {
  readonly #parts: IntervalParts
  readonly #startedAt: number
  readonly #due = new Map<string, Due>()
  #isAsking: boolean = false

  constructor(parts: IntervalParts) {
    this.#parts = parts
    this.#startedAt = parts.now()
  }

  /** Once a second: asks for those that are due. */
  tick(): void {
    if (this.#isAsking) return
    const now = this.#parts.now()
    const due: Device[] = []
    const seen = new Set<string>()
    for (const device of this.#parts.fleet.all) {
      if (!device.autoRotation || isPending(device) || device.maintenance) continue
      seen.add(device.id)
      if (due.length < ASKED_AT_ONCE && device.rotation === null && now >= this.#dueAt(device)) {
        if (this.#canRotate(device)) due.push(device)
        else this.#due.set(device.id, { at: now + LOOK_AGAIN_MS, basis: basisOf(device) })
      }
    }
    for (const id of this.#due.keys()) if (!seen.has(id)) this.#due.delete(id)
    if (due.length === 0) return
    void this.#ask(due, now)
  }

  async #ask(devices: readonly Device[], now: number): Promise<void> {
    this.#isAsking = true
    // A rotation that has ended when its answer comes begins a new interval, which must not be postponed.
    const bases = devices.map(basisOf)
    try {
      const answers = await this.#parts.request(devices, { trigger: 'interval' })
      for (const [n, device] of devices.entries()) {
        const answer = answers[n]
        const waitMs = answer && 'code' in answer && answer.retryAfter !== undefined ? answer.retryAfter * 1000 : LOOK_AGAIN_MS
        this.#due.set(device.id, { at: now + waitMs, basis: bases[n] ?? basisOf(device) })
      }
    } catch (error) {
      // While the database is away the next look tries again.
      if (!isDatabaseDown(error)) this.#parts.log.error({ err: error }, 'Interval rotations could not be asked for.')
    } finally {
      this.#isAsking = false
    }
  }

  #dueAt(device: Device): number {
    const basis = basisOf(device)
    const known = this.#due.get(device.id)
    if (known?.basis === basis) return known.at
    const { random, startGraceMs } = this.#parts
    const intervalMs = device.rotationInterval * 1000
    const last = device.lastRotation?.endedAt
    // A device that never rotated begins somewhere in its interval, so that those adopted together do not rotate together.
    const regular =
      last === undefined
        ? (device.adoptedAt ?? 0) + intervalMs * (0.5 + random() / 2)
        : last + intervalMs * (1 + JITTER * (2 * random() - 1))
    const graceOver = this.#startedAt + startGraceMs
    const isOverdue = regular < graceOver
    const at =
      isOverdue && (last ?? device.adoptedAt ?? 0) < this.#startedAt
        ? graceOver + random() * (intervalMs / 2)
        : Math.max(regular, graceOver)
    this.#due.set(device.id, { at, basis })
    return at
  }

  /** A device that somebody must reach first is looked at again later; one that never sends heartbeats is not held to them. */
  #canRotate(device: Device): boolean {
    if (executorOf(device, null) === null) return false
    return device.lastHeartbeat === null ? device.rotationUrl !== null : this.#parts.fleet.status(device) !== 'offline'
  }
}

const basisOf = (device: Device): string => `${device.lastRotation?.endedAt ?? device.adoptedAt} ${device.rotationInterval}`
