import type { AttemptKind } from '../errors.ts'
import { blameOf } from './blame.ts'
import type { Device } from './device.ts'
import { countFault, deservesEjection, type EjectionSettings, eject, forgiveFaults, mayEjectOneMore } from './ejection.ts'
import type { Fleet } from './fleet.ts'
import type { ExitMemory, Quarantine } from './quarantine.ts'
import { forgetRates, noteRate, outliers } from './success-rate.ts'

/** What a verdict changed. */
export type CoreEvent =
  | {
      readonly type: 'ejected'
      readonly device: Device
      readonly until: number
      readonly faults: number
      /** `faults`: so many in a row. `success_rate`: so many since rates were last compared, far more than others had. */
      readonly reason: 'faults' | 'success_rate'
    }
  | { readonly type: 'restored'; readonly device: Device }

/** An attempt that is over, as the verdict on its device needs it. */
export interface JudgedAttempt {
  readonly device: Device
  /** The exit that the device had when the attempt began. */
  readonly exit: ExitMemory
  readonly kind: AttemptKind
  /** It cost the caller a whole time-out, whatever its kind. */
  readonly hasTimedOut?: boolean
}

const NO_EVENTS: readonly CoreEvent[] = []

/** How long a device is left alone that answered that it is draining: short, because its rotation lasts seconds. */
const FENCE_MS = 1_000

/** Learns from how attempts went: bans of exits, faults of devices, and whose fault it was. Settings null: no device is ever taken out. */
export class Judge {
  readonly #fleet: Fleet
  readonly #quarantine: Quarantine
  readonly #settings: EjectionSettings | null
  /** When success rates are compared next; 0: an interval has not begun. */
  #compareAt = 0

  constructor(fleet: Fleet, quarantine: Quarantine, settings: EjectionSettings | null) {
    this.#fleet = fleet
    this.#quarantine = quarantine
    this.#settings = settings
  }

  /** A ban answer: the exit is not used for the site for a while. */
  noteBan(attempt: JudgedAttempt, site: string, retryAfterMs: number | undefined, now: number): { until: number; strikes: number } {
    attempt.device.tally.bans++
    return this.#quarantine.ban(attempt.exit, site, retryAfterMs, now)
  }

  /** A proper answer of the site through this exit. Returns how many strikes it ended. */
  noteAnswer(exit: ExitMemory, site: string, now: number): number {
    return this.#quarantine.clear(exit, site, now)
  }

  /** A whole response came through the device. */
  noteComplete(device: Device): readonly CoreEvent[] {
    noteRate(device, true)
    if (!forgiveFaults(device)) return NO_EVENTS
    this.#fleet.place(device)
    return [{ type: 'restored', device }]
  }

  /** The device said that it is draining: it is left alone for a moment, and it is not its fault. */
  noteDraining(device: Device, now: number): void {
    if (device.rest === null) device.rest = { reason: 'fenced', until: now + FENCE_MS }
    this.#fleet.place(device)
  }

  /** An attempt ended; a certain fault of its device counts at once (as a hang where nothing answered at all), a suspicion waits for `settle`. */
  noteAttemptEnd(attempt: JudgedAttempt, now: number): readonly CoreEvent[] {
    const blame = blameOf[attempt.kind]
    if (blame !== 'nobody' && blame !== 'target') noteRate(attempt.device, false)
    return blame === 'device' ? this.#fault(attempt.device, attempt.hasTimedOut === true ? 'hang' : 'one', now) : NO_EVENTS
  }

  /**
   * The request is over. Where another device got an answer, what was suspected of the earlier ones is confirmed: the ban was
   * the exit's, the failure the device's. Where several devices failed alike it was the target, and none is blamed.
   */
  settle(attempts: readonly JudgedAttempt[], servedBy: Device | null, site: string, now: number): readonly CoreEvent[] {
    const outOfLine = this.#compareRates(now)
    // The common case, once a request: one attempt, one answer.
    if (attempts.length === 1 && attempts[0] !== undefined && blameOf[attempts[0].kind] === 'nobody') return outOfLine
    const devices = new Set(attempts.map((attempt) => attempt.device))
    const events: CoreEvent[] = [...outOfLine]
    for (const { device, exit, kind } of attempts) {
      const isConfirmed = servedBy !== null && servedBy !== device
      const blame = blameOf[kind]
      // A response that breaks off in the middle is told of here only.
      if (kind === 'response_broken' && servedBy === null) noteRate(device, false)
      if (kind === 'banned' && isConfirmed) this.#quarantine.confirm(exit, site, now)
      if (blame !== 'suspect' && blame !== 'target' && blame !== 'hang') continue
      if (isConfirmed) events.push(...this.#fault(device, blame === 'hang' ? 'hang' : 'one', now))
      else if (devices.size === 1 && servedBy === null && blame !== 'target' && kind !== 'target_error')
        events.push(...this.#fault(device, 'one', now))
    }
    return events
  }

  /** Something outside has shown that the device works: its ejection ends. */
  vouchFor(device: Device): readonly CoreEvent[] {
    const wasOut = device.rest?.reason === 'ejected' || device.probing
    device.rest = null
    forgiveFaults(device)
    device.ejectionsInARow = 0
    this.#fleet.place(device)
    return wasOut ? [{ type: 'restored', device }] : NO_EVENTS
  }

  #fault(device: Device, weight: 'one' | 'hang', now: number): readonly CoreEvent[] {
    const settings = this.#settings
    if (settings === null) {
      device.tally.faults++
      return NO_EVENTS
    }
    countFault(device, weight, settings)
    if (!device.online || device.rest?.reason === 'ejected' || !deservesEjection(device, settings)) return NO_EVENTS
    return this.#eject(device, device.consecutiveFaults, 'faults', settings, now)
  }

  /** Once an interval: who fails far more often than the others goes. */
  #compareRates(now: number): readonly CoreEvent[] {
    const settings = this.#settings
    const rates = settings?.successRate ?? null
    if (settings === null || rates === null || now < this.#compareAt) return NO_EVENTS
    const isFirst = this.#compareAt === 0
    this.#compareAt = now + rates.intervalMs
    if (isFirst) return NO_EVENTS
    const events = outliers(this.#fleet.ready, rates).flatMap((device) =>
      this.#eject(device, device.window.failures, 'success_rate', settings, now),
    )
    forgetRates(this.#fleet.all())
    return events
  }

  #eject(device: Device, faults: number, reason: 'faults' | 'success_rate', settings: EjectionSettings, now: number): readonly CoreEvent[] {
    if (!mayEjectOneMore(this.#fleet.ejected, this.#fleet.up, settings)) return NO_EVENTS
    const until = eject(device, now, settings)
    this.#fleet.place(device)
    return [{ type: 'ejected', device, until, faults, reason }]
  }
}
