import { AdmissionQueue, type Applicant } from './admission-queue.ts'
import type { Balancer } from './balancers/balancer.ts'
import { Candidacy } from './candidacy.ts'
import { Device, type DeviceFacts } from './device.ts'
import { beginProbation, type EjectionSettings, forgiveFaults } from './ejection.ts'
import { Fleet } from './fleet.ts'
import { Judge } from './judge.ts'
import { type LimitSettings, limitsFor, takeCell } from './limits.ts'
import { lookOut } from './outlook.ts'
import { Quarantine, type QuarantineSettings } from './quarantine.ts'
import { PLAIN_VIEW } from './view.ts'

export interface CoreSettings {
  readonly limits: LimitSettings
  readonly queue: { readonly timeoutMs: number; readonly max: number }
  /** Null: no device is ever taken out. */
  readonly ejection: EjectionSettings | null
  readonly quarantine: QuarantineSettings
}

/** What becomes of a request that asks for a device. */
export type Decision =
  | { readonly kind: 'assigned'; readonly device: Device }
  | { readonly kind: 'wait' }
  /** Every device that is up is quarantined for its site; the first may be used again at `until`. */
  | { readonly kind: 'starved'; readonly until: number }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'full' }

/** What a look at the clock brought. */
export interface Tick<A> {
  readonly served: readonly { readonly applicant: A; readonly device: Device }[]
  readonly late: readonly A[]
}

const WAIT: Decision = { kind: 'wait' }
const NOTHING: Decision = { kind: 'nothing' }
const FULL: Decision = { kind: 'full' }

/**
 * The pool core: who gets which device. No I/O and no clock of its own: every method takes `now` (milliseconds),
 * and `wakeAt` says when `tick` has to be called next.
 */
export class PoolCore<A extends Applicant> {
  readonly fleet: Fleet
  /** Which exit IPs are not used for which sites. */
  readonly quarantine: Quarantine
  /** What is learnt from how requests went. */
  readonly judge: Judge
  readonly #settings: CoreSettings
  readonly #balancer: Balancer
  readonly #queue = new AdmissionQueue<A>()
  readonly #candidacy: Candidacy
  #recheckAt = Number.POSITIVE_INFINITY
  #mayGrow: boolean = true

  constructor(settings: CoreSettings, balancer: Balancer) {
    this.#settings = settings
    this.#balancer = balancer
    this.fleet = new Fleet({
      joined: (device) => balancer.joined?.(device),
      left: (device) => balancer.left?.(device),
      opened: (device) => balancer.opened?.(device),
      closed: (device) => balancer.closed?.(device),
    })
    this.#candidacy = new Candidacy(this.fleet.open, settings.limits.concurrentPerSite)
    this.quarantine = new Quarantine(settings.quarantine, () => new Set([...this.fleet.all()].map(({ exit }) => exit)))
    this.judge = new Judge(this.fleet, this.quarantine, settings.ejection)
  }

  get queued(): number {
    return this.#queue.length
  }

  // ---- the fleet ----

  /** Whether devices may still appear: a request then waits for one instead of failing at once. True until said otherwise. */
  setMayGrow(mayGrow: boolean): void {
    this.#mayGrow = mayGrow
  }

  addDevice(facts: DeviceFacts, exitIp: string | null, now: number): Device {
    const device = new Device(facts, this.quarantine.exit(exitIp, now), limitsFor(facts.limits, this.#settings.limits))
    device.exitIp = exitIp
    if (this.#settings.limits.concurrentPerSite !== null) device.inFlightBySite = new Map()
    this.fleet.add(device)
    return device
  }

  /** The source describes the device differently. */
  setFacts(device: Device, facts: DeviceFacts): void {
    const wasOnline = device.online
    if (facts.weight !== device.facts.weight) {
      // A balancer may sort devices by weight: to it, the device goes and comes.
      device.online = false
      this.fleet.place(device)
    }
    device.facts = facts
    device.limits = limitsFor(facts.limits, this.#settings.limits)
    device.online = wasOnline
    this.fleet.place(device)
  }

  removeDevice(device: Device): void {
    device.online = false
    this.fleet.remove(device)
  }

  setOnline(device: Device, online: boolean): void {
    if (online && !device.online) forgiveFaults(device)
    device.online = online
    this.fleet.place(device)
  }

  setRotating(device: Device, rotating: boolean): void {
    device.rotating = rotating
    this.fleet.place(device)
  }

  /** Another exit IP has another memory of bans. Null: unknown, and not the one before. */
  setExitIp(device: Device, exitIp: string | null, now: number): void {
    device.exitIp = exitIp
    device.exit = this.quarantine.exit(exitIp, now)
  }

  // ---- admission ----

  /** Gives the request a device now, or queues it, or says why neither. */
  admit(applicant: A, now: number): Decision {
    const decision = this.#decide(applicant, now)
    if (decision.kind === 'assigned') this.#take(decision.device, applicant.site, now)
    return decision.kind === 'wait' ? this.enqueue(applicant, now) : decision
  }

  /** Queues the request although nothing says that a device will come: somebody has promised to bring one. */
  enqueue(applicant: A, now: number): Decision {
    if (this.#queue.length >= this.#settings.queue.max) return FULL
    this.#queue.add(applicant, now + (applicant.view.queueTimeoutMs ?? this.#settings.queue.timeoutMs))
    return WAIT
  }

  /** The request is no longer wanted; false when it did not wait. */
  withdraw(applicant: A): boolean {
    return this.#queue.remove(applicant)
  }

  /** Empties the queue. */
  withdrawAll(): A[] {
    return this.#queue.takeAll(() => true)
  }

  /**
   * Whether a device other than those it tried may serve the request, now or soon. `starved`: only once a quarantine is over
   * or an exit IP has changed. Asked before an answer is given up for another one.
   */
  prospect(applicant: A, now: number): 'now' | 'soon' | 'starved' | 'none' {
    this.#advance(now)
    const outlook = lookOut(applicant, this.fleet, now + this.#settings.queue.timeoutMs, now, true)
    switch (outlook.kind) {
      case 'busy':
        return 'now'
      case 'coming':
        return 'soon'
      case 'starved':
        return 'starved'
      case 'again':
      case 'nothing':
        return 'none'
    }
  }

  /** The sites that are waited for in vain: every device that is up is quarantined for them, or there is no device at all. */
  hopelessSites(now: number): { site: string; decision: Decision }[] {
    const hopeless: { site: string; decision: Decision }[] = []
    for (const site of this.#queue.sites()) {
      const outlook = lookOut({ site, order: 0, tried: [], view: PLAIN_VIEW }, this.fleet, now + this.#settings.queue.timeoutMs, now)
      if (outlook.kind === 'starved') hopeless.push({ site, decision: outlook })
      if (outlook.kind === 'nothing' && !this.#mayGrow) hopeless.push({ site, decision: NOTHING })
    }
    return hopeless
  }

  /** Takes everybody out of the queue who waits for this site. */
  withdrawSite(site: string): A[] {
    return this.#queue.takeAll(({ applicant }) => applicant.site === site)
  }

  /** The device has finished one request to the site. */
  release(device: Device, site: string): void {
    device.inFlight--
    if (device.inFlightBySite !== null) {
      const left = (device.inFlightBySite.get(site) ?? 0) - 1
      if (left > 0) device.inFlightBySite.set(site, left)
      else device.inFlightBySite.delete(site)
    }
    this.fleet.placeByRoom(device)
  }

  /** Hands free room to those who wait, first come, first served. */
  serveWaiting(now: number): { applicant: A; device: Device }[] {
    const served: { applicant: A; device: Device }[] = []
    if (this.#queue.length === 0) return served
    this.#advance(now)
    while (this.#queue.length > 0 && this.fleet.open.length > 0) {
      let device: Device | undefined
      const applicant = this.#queue.takeFirst((waiting) => {
        device = this.#pick(waiting, false, now) ?? this.#pickAgain(waiting, now)
        return device !== undefined
      })
      if (applicant === undefined || device === undefined) break
      this.#take(device, applicant.site, now)
      served.push({ applicant, device })
    }
    return served
  }

  /** To be called at `wakeAt`. */
  tick(now: number): Tick<A> {
    this.#advance(now)
    if (this.#recheckAt <= now) this.#recheckAt = this.#nextQuarantineEnd(now)
    const served = this.serveWaiting(now)
    return { served, late: this.#queue.takeAll(({ deadline }) => deadline <= now) }
  }

  /** When the clock alone changes something for those who wait; infinity when nobody does. */
  wakeAt(): number {
    if (this.#queue.length === 0) return Number.POSITIVE_INFINITY
    return Math.min(this.#queue.earliestDeadline, this.fleet.nextAlarm, this.#recheckAt)
  }

  // ---- inside ----

  #decide(applicant: A, now: number): Decision {
    this.#advance(now)
    const device = this.#pick(applicant, false, now)
    if (device !== undefined) return { kind: 'assigned', device }
    const outlook = lookOut(applicant, this.fleet, now + this.#settings.queue.timeoutMs, now)
    switch (outlook.kind) {
      case 'again': {
        const again = this.#pick(applicant, true, now)
        return again === undefined ? WAIT : { kind: 'assigned', device: again }
      }
      case 'busy':
        return WAIT
      case 'coming': // of quarantines only the end is known, so it sets the alarm
        this.#recheckAt = Math.min(this.#recheckAt, outlook.at)
        return WAIT
      case 'starved':
        return outlook
      case 'nothing':
        return this.#mayGrow ? WAIT : NOTHING
    }
  }

  #pick(applicant: Applicant, mayReuse: boolean, now: number): Device | undefined {
    return this.#balancer.pick(this.#candidacy.of(applicant, mayReuse, now))
  }

  /** A device that failed this request already, where no other is up. */
  #pickAgain(applicant: Applicant, now: number): Device | undefined {
    if (applicant.tried.length === 0) return undefined
    return lookOut(applicant, this.fleet, now, now).kind === 'again' ? this.#pick(applicant, true, now) : undefined
  }

  #take(device: Device, site: string, now: number): void {
    device.inFlight++
    device.tally.requests++
    device.inFlightBySite?.set(site, (device.inFlightBySite.get(site) ?? 0) + 1)
    takeCell(device, now)
    this.fleet.placeByRoom(device)
  }

  /** What the clock has changed by itself: rests that are over, devices whose pace lets them go on. */
  #advance(now: number): void {
    for (let device = this.fleet.takeDue(now); device !== undefined; device = this.fleet.takeDue(now)) {
      if (device.rest !== null && device.rest.until <= now) {
        if (device.rest.reason === 'ejected') beginProbation(device)
        device.rest = null
      }
      if (device.nextCellAt <= now) device.nextCellAt = 0
      this.fleet.place(device)
    }
  }

  #nextQuarantineEnd(now: number): number {
    let earliest = Number.POSITIVE_INFINITY
    for (const site of this.#queue.sites()) {
      for (const device of this.fleet.ready) {
        const until = device.exit.quarantinedUntil(site, now)
        if (until > 0) earliest = Math.min(earliest, until)
      }
    }
    return earliest
  }
}
