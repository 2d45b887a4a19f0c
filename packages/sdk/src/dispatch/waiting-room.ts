import type { Clock } from '../clock.ts'
import type { Device } from '../core/device.ts'
import type { PoolCore } from '../core/pool-core.ts'
import type { MobilePoolError } from '../errors.ts'
import type { Emit } from '../events.ts'
import type { SharedLimits } from '../shared/shared-limits.ts'
import type { Errand } from './errand.ts'
import { breachError, lateError, noDeviceError, queueFullError, starvedError } from './no-device-errors.ts'
import { SharedClaims } from './shared-claims.ts'

export interface WaitingRoomParts {
  readonly clock: Clock
  readonly core: PoolCore<Errand>
  readonly emit: Emit
  /** Nobody can serve the site: returns whether a rotation that may help is under way. */
  readonly helpStarved: (site: string) => boolean
  /** Why there may be no devices: the hub does not answer, or refuses. */
  readonly sourceTrouble: () => string | null
  /** How long somebody waited for the device that he has now, ms; 0: not at all. @default nobody asks */
  readonly onAdmitted?: ((waitedMs: number) => void) | undefined
  /** Limits that other processes share; null: there are none. */
  readonly shared: SharedLimits | null
}

/** Where errands ask for a device and wait for it: the core decides, this tells them, and one timer wakes the core for all who wait. */
export class WaitingRoom {
  readonly #parts: WaitingRoomParts
  readonly #queue: { readonly timeoutMs: number; readonly max: number }
  /** Since when those wait who are in the queue; null: nobody asks. */
  readonly #since: Map<Errand, number> | null
  /** Those who have a device of the core and ask for their share of it; null: nothing is shared. */
  readonly #claims: SharedClaims | null
  /** When the patience of those ends who may have to wait again. */
  readonly #deadlines = new WeakMap<Errand, number>()
  #alarm: { readonly at: number; readonly callOff: () => void } | null = null

  constructor(parts: WaitingRoomParts, queue: { readonly timeoutMs: number; readonly max: number }) {
    this.#parts = parts
    this.#queue = queue
    this.#since = parts.onAdmitted === undefined ? null : new Map()
    const { shared, core, clock } = parts
    this.#claims =
      shared &&
      new SharedClaims({
        core,
        clock,
        shared,
        assign: (run, device) => this.#assign(run, device),
        seekAgain: (run) => this.#seek(run, clock.now(), this.#deadlines.get(run)),
      })
  }

  /** Asks for a device: sooner or later `assigned` or `refused` is called. */
  admit(run: Errand): void {
    const breach = run.view.sticky?.breach ?? null
    if (breach !== null) {
      run.refused(breachError(breach))
      return
    }
    const now = this.#parts.clock.now()
    this.#since?.set(run, now)
    if (this.#claims !== null) this.#deadlines.set(run, now + (run.view.queueTimeoutMs ?? this.#queue.timeoutMs))
    this.#seek(run, now)
  }

  /** Looks for a device; `deadline`: until when, if not as long as the run's patience from now. */
  #seek(run: Errand, now: number, deadline?: number): void {
    const { core } = this.#parts
    let decision = core.admit(run, now, deadline)
    if (decision.kind === 'starved' && this.#helpStarved(run.site, decision.until)) decision = core.enqueue(run, now, deadline)
    switch (decision.kind) {
      case 'assigned':
        this.#give(run, decision.device)
        return
      case 'wait':
        run.queued()
        this.serve()
        return
      case 'starved':
        this.#refuse(run, starvedError(run.site, decision.until, core.fleet, now))
        return
      case 'nothing':
        this.#refuse(run, noDeviceError(core.fleet, this.#parts.sourceTrouble()))
        return
      case 'full':
        this.#refuse(run, queueFullError(this.#queue.max))
    }
  }

  /** It no longer waits; false when it did not. */
  withdraw(run: Errand): boolean {
    this.#since?.delete(run)
    if (this.#claims?.withdraw(run) === true) {
      this.serve()
      return true
    }
    if (!this.#parts.core.withdraw(run)) return false
    this.setAlarm()
    return true
  }

  /** Somewhere there is room. */
  serve(): void {
    const { core, clock } = this.#parts
    if (core.queued === 0) return
    for (const { applicant, device } of core.serveWaiting(clock.now())) this.#give(applicant, device)
    this.setAlarm()
  }

  /** Ends the wait of those who wait in vain. */
  refuseHopeless(): void {
    const { core, clock } = this.#parts
    if (core.queued === 0) return
    const now = clock.now()
    for (const { site, outlook, withdraw } of core.hopeless(now)) {
      if (outlook.kind === 'starved' && this.#helpStarved(site, outlook.until)) continue
      const error =
        outlook.kind === 'starved'
          ? starvedError(site, outlook.until, core.fleet, now)
          : noDeviceError(core.fleet, this.#parts.sourceTrouble())
      for (const run of withdraw()) this.#refuse(run, error)
    }
  }

  /** Ends everybody's wait. */
  refuseAll(error: MobilePoolError): void {
    this.#since?.clear()
    for (const run of [...(this.#claims?.withdrawAll() ?? []), ...this.#parts.core.withdrawAll()]) run.refused(error)
    this.setAlarm()
  }

  /** To be called when somebody began or ceased to wait: one timer for all. It keeps the process alive: somebody awaits them. */
  setAlarm(): void {
    const { core, clock } = this.#parts
    const at = core.wakeAt()
    if (this.#alarm !== null && this.#alarm.at <= at && Number.isFinite(at)) return
    this.#alarm?.callOff()
    this.#alarm = null
    if (!Number.isFinite(at)) return
    const callOff = clock.schedule(at - clock.now(), () => this.#wake(), { keepsProcessAlive: true })
    this.#alarm = { at, callOff }
  }

  #wake(): void {
    this.#alarm = null
    const { core, clock } = this.#parts
    const { served, late } = core.tick(clock.now())
    for (const { applicant, device } of served) this.#give(applicant, device)
    for (const run of late) this.#refuse(run, lateError(core.fleet, this.#queue.timeoutMs, this.#parts.sourceTrouble()))
    this.setAlarm()
  }

  #helpStarved(site: string, until: number): boolean {
    this.#parts.emit('starved', { site, until })
    return this.#parts.helpStarved(site)
  }

  /** The core has given it this device: it is its own, once it has its share where limits are shared. */
  #give(run: Errand, device: Device): void {
    if (this.#claims === null || run.view.isInquiry) this.#assign(run, device)
    else this.#claims.ask(run, device)
  }

  /** Who has waited gets his device. */
  #assign(run: Errand, device: Device): void {
    const since = this.#since?.get(run)
    if (since !== undefined) {
      this.#since?.delete(run)
      this.#parts.onAdmitted?.(this.#parts.clock.now() - since)
    }
    run.assigned(device)
  }

  /** Whose lease or session is over is told that. */
  #refuse(run: Errand, error: MobilePoolError): void {
    this.#since?.delete(run)
    const breach = run.view.sticky?.breach ?? null
    run.refused(breach === null ? error : breachError(breach))
  }
}
