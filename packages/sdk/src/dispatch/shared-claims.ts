import type { Clock } from '../clock.ts'
import type { Device } from '../core/device.ts'
import type { PoolCore } from '../core/pool-core.ts'
import { Session } from '../core/sessions.ts'
import type { ClaimAnswer, SharedLimits } from '../shared/shared-limits.ts'
import type { Errand } from './errand.ts'

export interface SharedClaimsParts {
  readonly core: PoolCore<Errand>
  readonly clock: Clock
  readonly shared: Pick<SharedLimits, 'claim' | 'taken' | 'giveBack'>
  /** The place is its own. */
  readonly assign: (run: Errand, device: Device) => void
  /** It has to look for a device once more, or wait for one. */
  readonly seekAgain: (run: Errand) => void
}

/** Devices that are asked for besides the one that the balancer chose, so that one question mostly does. */
const ALTERNATIVES = 7

/**
 * Errands that the core has given a device, and that still need a place there of what all processes share. The first of the core's device and
 * some others that has one is theirs; where none has, the core learns for how long, and they wait on.
 */
export class SharedClaims {
  readonly #parts: SharedClaimsParts
  readonly #pending = new Map<Errand, Device>()

  constructor(parts: SharedClaimsParts) {
    this.#parts = parts
  }

  /** Asks for a place. Sooner or later it is assigned or queued again, unless it is withdrawn. */
  ask(run: Errand, device: Device): void {
    const { core, clock, shared } = this.#parts
    this.#pending.set(run, device)
    run.queued()
    const devices = [device, ...core.alternatives(run, device, ALTERNATIVES, clock.now())]
    void shared.claim(devices, run.view.sticky).then((answer) => this.#answered(run, devices, answer))
  }

  /** It no longer wants one; false when it did not ask. */
  withdraw(run: Errand): boolean {
    const device = this.#pending.get(run)
    if (device === undefined) return false
    this.#pending.delete(run)
    this.#parts.core.untake(device, run)
    return true
  }

  /** Nobody wants one any more. */
  withdrawAll(): Errand[] {
    const runs = [...this.#pending.keys()]
    for (const run of runs) this.withdraw(run)
    return runs
  }

  #answered(run: Errand, devices: readonly Device[], answer: ClaimAnswer): void {
    const { core, clock, shared } = this.#parts
    const granted = answer.kind === 'granted' ? devices[answer.place] : undefined
    const first = this.#pending.get(run)
    if (first === undefined) {
      if (granted !== undefined) shared.giveBack(granted)
      return
    }
    this.#pending.delete(run)
    const now = clock.now()
    if (answer.kind === 'away') {
      shared.taken(first)
      this.#parts.assign(run, first)
      return
    }
    if (answer.kind === 'granted' && granted !== undefined) {
      const isFit = granted === first || core.isReady(granted)
      if (granted !== first || !isFit) core.untake(first, run)
      if (isFit) {
        if (granted !== first) core.take(granted, run, now)
        core.setPace(granted, answer.aheadMs, now)
        shared.taken(granted)
        this.#parts.assign(run, granted)
        return
      }
      shared.giveBack(granted)
    } else {
      core.untake(first, run)
      if (answer.kind === 'full') for (const [place, device] of devices.entries()) core.hold(device, answer.waitsMs[place] ?? 0, now)
      if (answer.kind === 'session') this.#move(run, answer.deviceId)
    }
    this.#parts.seekAgain(run)
  }

  /** The session is on another device in other processes: it goes there, if this one has the device. */
  #move({ view: { sticky } }: Errand, deviceId: string): void {
    const device = this.#parts.core.fleet.get(deviceId)
    if (device !== undefined && sticky instanceof Session) sticky.taken(device)
  }
}
