import type { PoolCore } from '../core/pool-core.ts'
import type { DispatchEngine } from '../dispatch/dispatch-engine.ts'
import type { Errand } from '../dispatch/errand.ts'
import { MobilePoolError } from '../errors.ts'
import type { Emit, RotationResult } from '../events.ts'
import type { Drains } from '../rotation/drains.ts'
import type { Rotations } from '../rotation/rotations.ts'
import type { DeviceRecord, SourceListener } from './device-source.ts'
import type { Roster } from './roster.ts'

export interface FeedParts {
  readonly core: PoolCore<Errand>
  readonly engine: DispatchEngine
  readonly roster: Roster<Errand>
  readonly drains: Drains
  readonly rotations: Rotations
  readonly emit: Emit
}

/** Passes on to the parts of the pool what its source tells. */
export class SourceFeed implements SourceListener {
  readonly #parts: FeedParts
  #hasSnapshot: boolean = false
  #isUp: boolean = false
  #trouble: string | null = null

  constructor(parts: FeedParts) {
    this.#parts = parts
  }

  get isUp(): boolean {
    return this.#isUp
  }

  /** Why there may be no devices. */
  get trouble(): string | null {
    return this.#trouble
  }

  onSnapshot(devices: readonly DeviceRecord[]): void {
    this.#hasSnapshot = true
    this.#isUp = true
    this.#parts.roster.replaceAll(devices)
    for (const device of devices) {
      this.#drainByStatus(device)
      if (!device.isRotating) this.#endMissedRotation(device.id)
    }
    this.#parts.engine.fleetChanged()
  }

  onDevice(device: DeviceRecord): void {
    this.#parts.roster.put(device)
    this.#drainByStatus(device)
    this.#parts.engine.fleetChanged()
  }

  onDeviceRemoved(id: string): void {
    this.#parts.roster.remove(id)
    this.#parts.engine.fleetChanged()
  }

  onExitIp(id: string, exitIp: string): void {
    this.#parts.roster.setExitIp(id, exitIp)
    this.#parts.engine.fleetChanged()
  }

  onRotationRunning(id: string): void {
    this.#parts.rotations.noteRunning(id)
  }

  onRotationWaiting(id: string): void {
    this.#parts.rotations.noteWaiting(id)
  }

  onRotationEnd(result: RotationResult): void {
    this.#parts.rotations.noteEnd(result)
  }

  onUp(): void {
    this.#isUp = true
    this.#trouble = null
    this.#parts.emit('source', { isUp: true })
  }

  onDown({ reason, retryInMs, isRefusal }: { reason: string; retryInMs: number; isRefusal: boolean }): void {
    this.#isUp = false
    this.#trouble = reason
    this.#parts.emit('source', { isUp: false, reason, retryInMs, isRefusal })
    // Waiting for a first list that will not come is no use; a fleet that is known serves on.
    if (isRefusal && !this.#hasSnapshot) this.#parts.engine.refuseWaiting(new MobilePoolError('MP_HUB_REFUSED', reason, { phase: 'hub' }))
  }

  /** A device whose rotation we have not been told of (it began before we came) shows it by its status. */
  #drainByStatus({ id, isRotating }: DeviceRecord): void {
    const { roster, drains } = this.#parts
    const device = roster.find(id)
    if (device === undefined) return
    if (isRotating) void drains.begin(device, 'status')
    else drains.end(device, 'status')
  }

  /** A whole list is fetched when events were missed: the end of a rotation may be among them. */
  #endMissedRotation(id: string): void {
    const device = this.#parts.roster.find(id)
    if (device !== undefined) this.#parts.drains.end(device, 'rotation')
  }
}
