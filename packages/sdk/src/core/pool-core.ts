import { Admission, type Assignment, type Hopeless } from './admission.ts'
import type { Applicant } from './admission-queue.ts'
import type { Balancer } from './balancers/balancer.ts'
import { Candidacy } from './candidacy.ts'
import { Device, type DeviceFacts } from './device.ts'
import { beginProbation, type EjectionSettings, forgiveFaults } from './ejection.ts'
import { Fleet } from './fleet.ts'
import { Judge } from './judge.ts'
import { type DeviceLimits, type LimitSettings, limitsFor, takeCell } from './limits.ts'
import { lookOut } from './outlook.ts'
import { Quarantine, type QuarantineSettings } from './quarantine.ts'

export interface CoreSettings {
  readonly limits: LimitSettings
  readonly queue: { readonly timeoutMs: number; readonly max: number }
  /** Null: no device is ever taken out. */
  readonly ejection: EjectionSettings | null
  readonly quarantine: QuarantineSettings
}

/** What becomes of a request that asks for a device. */
export type Decision =
  /** The object is used for the next request that gets a device too: a pick allocates nothing. */
  | { readonly kind: 'assigned'; readonly device: Device }
  | { readonly kind: 'wait' }
  /** Every device that is up is quarantined for its site; the first may be used again at `until`. */
  | { readonly kind: 'starved'; readonly until: number }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'full' }

/** What a look at the clock brought. */
export interface Tick<A> {
  readonly served: readonly Assignment<A>[]
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
  readonly #sharedLimits: DeviceLimits
  readonly #admission: Admission<A>
  #mayGrow: boolean = true
  #assigned: { readonly kind: 'assigned'; device: Device } | null = null

  constructor(settings: CoreSettings, balancer: Balancer) {
    this.#settings = settings
    this.#sharedLimits = limitsFor(undefined, settings.limits)
    this.fleet = new Fleet({
      joined: (device) => balancer.joined?.(device),
      left: (device) => balancer.left?.(device),
      opened: (device) => {
        balancer.opened?.(device)
        this.#admission.freshen(device)
      },
      closed: (device) => balancer.closed?.(device),
      wentDown: (device) => this.#admission.noteDown(device),
      changed: (device) => this.onChange(device),
    })
    this.quarantine = new Quarantine(settings.quarantine, () => new Set([...this.fleet.all()].map(({ exit }) => exit)))
    this.judge = new Judge(this.fleet, this.quarantine, settings.ejection)
    this.#admission = new Admission({
      fleet: this.fleet,
      balancer,
      candidacy: new Candidacy(this.fleet.open, settings.limits.concurrentPerSite),
      quarantine: this.quarantine,
      queueTimeoutMs: settings.queue.timeoutMs,
      take: (device, applicant, now) => this.#take(device, applicant, now),
    })
  }

  get queued(): number {
    return this.#admission.queue.length
  }

  /** Told when a device has lost its exit IP: it has another, or one that nobody knows, or has left the pool. */
  onExitLeft: (device: Device) => void = () => {}

  /** Told when a device may stand differently than before. In the middle of things: to be looked at later. */
  onChange: (device: Device) => void = () => {}

  // ---- the fleet ----

  /** Whether devices may still appear: a request then waits for one instead of failing at once. True until said otherwise. */
  setMayGrow(mayGrow: boolean): void {
    this.#mayGrow = mayGrow
  }

  addDevice(facts: DeviceFacts, exitIp: string | null, now: number): Device {
    const device = new Device(facts, this.quarantine.exit(exitIp, now), this.#limitsFor(facts))
    device.exitIp = exitIp
    if (this.#settings.limits.concurrentPerSite !== null) device.inFlightBySite = new Map()
    this.fleet.add(device)
    return device
  }

  /** The source describes the device differently. */
  setFacts(device: Device, facts: DeviceFacts): void {
    const wasOnline = device.online
    if (facts.weight !== device.weight) {
      // A balancer may sort devices by weight: to it, the device goes and comes.
      device.online = false
      this.fleet.place(device)
    }
    device.facts = facts
    device.limits = this.#limitsFor(facts)
    device.online = wasOnline
    this.fleet.place(device)
  }

  removeDevice(device: Device): void {
    device.online = false
    this.fleet.remove(device)
    this.#exitLeft(device)
  }

  /** `returning`: it is not online, but about to be. */
  setOnline(device: Device, online: boolean, returning = false): void {
    if (online && !device.online) forgiveFaults(device)
    device.online = online
    device.returning = returning && !online
    this.fleet.place(device)
  }

  setRotating(device: Device, rotating: boolean): void {
    device.rotating = rotating
    this.fleet.place(device)
    // It has rotated, and nobody saw what its IP was or is.
    if (!rotating && device.exitIp === null) this.#exitLeft(device)
  }

  /** Another exit IP has another memory of bans. Null: unknown, and not the one before. */
  setExitIp(device: Device, exitIp: string | null, now: number): void {
    const isAnother = exitIp === null || (exitIp !== device.exitIp && (device.exitIp !== null || device.rotating))
    device.exitIp = exitIp
    device.exit = this.quarantine.exit(exitIp, now)
    if (device.openIndex >= 0) this.#admission.freshen(device)
    if (isAnother) this.#exitLeft(device)
  }

  // ---- admission ----

  /** Gives the request a device now, or queues it, or says why neither. `deadline`: when its patience ends, where that is known. */
  admit(applicant: A, now: number, deadline?: number): Decision {
    this.#advance(now)
    // Where somebody waits for the same, there is no device for this one either, and it is not its turn.
    const mustQueue = this.queued > 0 && this.#admission.queue.lineFor(applicant) !== undefined
    const decision = mustQueue ? WAIT : this.#decide(applicant, now)
    if (decision.kind === 'assigned') this.#take(decision.device, applicant, now)
    return decision.kind === 'wait' ? this.enqueue(applicant, now, deadline) : decision
  }

  /** A device that is free for the request this moment; its place is taken. Undefined where others wait: it is not its turn. */
  takeFree(applicant: Applicant, now: number): Device | undefined {
    if (this.queued > 0) return undefined
    this.#advance(now)
    const device = this.#admission.pick(applicant, false, now)
    if (device !== undefined) this.#take(device, applicant, now)
    return device
  }

  /** Queues the request although nothing says that a device will come: somebody has promised to bring one. */
  enqueue(applicant: A, now: number, deadline = now + this.#patienceOf(applicant)): Decision {
    if (this.queued >= this.#settings.queue.max) return FULL
    this.#admission.enqueue(applicant, deadline, now)
    return WAIT
  }

  // ---- limits that others share ----

  /** Up to so many devices with room that suit the request as well, from anywhere in the fleet. */
  alternatives(applicant: Applicant, first: Device, count: number, now: number): Device[] {
    return this.#admission.others(applicant, first, count, now)
  }

  /** Gives the request this device, whatever the balancer would choose. */
  take(device: Device, applicant: Applicant, now: number): void {
    this.#take(device, applicant, now)
  }

  /** The request has not got the device after all. */
  untake(device: Device, applicant: Applicant): void {
    device.requests--
    applicant.view.sticky?.untaken?.(device)
    this.release(device, applicant.site)
  }

  /** Whether the device is up and takes requests, with room or without. */
  isReady(device: Device): boolean {
    return device.readyIndex >= 0
  }

  /** All who share the device have used up its pace until so many ms from now. */
  setPace(device: Device, aheadMs: number, now: number): void {
    if (device.limits.cellMs === 0) return
    device.pacedUntil = Math.max(device.pacedUntil, now + aheadMs)
    const nextAt = device.pacedUntil - device.limits.burstMs
    device.nextCellAt = nextAt > now ? nextAt : 0
    this.fleet.place(device)
  }

  /** The device may begin nothing for so long: others have its places or its pace. */
  hold(device: Device, ms: number, now: number): void {
    if (ms <= 0) return
    if (device.limits.cellMs > 0) device.pacedUntil = Math.min(device.pacedUntil, now + ms + device.limits.burstMs)
    device.nextCellAt = now + ms
    this.fleet.place(device)
  }

  // ---- the queue ----

  /** The request is no longer wanted; false when it did not wait. */
  withdraw(applicant: A): boolean {
    return this.#admission.queue.remove(applicant)
  }

  /** Empties the queue. */
  withdrawAll(): A[] {
    return this.#admission.queue.takeAll()
  }

  /**
   * Whether a device other than those it tried may serve the request, now or soon. `starved`: only once a quarantine is over
   * or an exit IP has changed. Asked before an answer is given up for another one.
   */
  prospect(applicant: A, now: number): 'now' | 'soon' | 'starved' | 'none' {
    this.#advance(now)
    const outlook = lookOut(applicant, this.fleet, now + this.#patienceOf(applicant), now, true)
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

  /** Who waits in vain: every device that is up is quarantined for their site, or there is none and none will come. */
  hopeless(now: number): Hopeless<A>[] {
    return this.#admission.hopeless(now).filter(({ outlook }) => outlook.kind === 'starved' || !this.#mayGrow)
  }

  /** The device has finished one request to the site. */
  release(device: Device, site: string): void {
    device.inFlight--
    if (device.inFlightBySite !== null) {
      const left = (device.inFlightBySite.get(site) ?? 0) - 1
      if (left > 0) device.inFlightBySite.set(site, left)
      else device.inFlightBySite.delete(site)
    }
    this.fleet.ended(device)
    if (device.inFlight < device.capacity) this.#admission.freshen(device)
  }

  /** Hands free room to those who wait: higher priority first, among equals first come, first served. */
  serveWaiting(now: number): Assignment<A>[] {
    this.#advance(now)
    return this.#admission.serve(now)
  }

  /** To be called at `wakeAt`. */
  tick(now: number): Tick<A> {
    const served = this.serveWaiting(now)
    return { served, late: this.#admission.queue.takeLate(now) }
  }

  /** When the clock alone changes something for those who wait; infinity when nobody does. */
  wakeAt(): number {
    if (this.queued === 0) return Number.POSITIVE_INFINITY
    return Math.min(this.#admission.queue.earliestDeadline, this.fleet.nextAlarm, this.#admission.recheckAt)
  }

  // ---- inside ----

  #decide(applicant: A, now: number): Decision {
    const device = this.#admission.pick(applicant, false, now)
    if (device !== undefined) return this.#assign(device)
    const outlook = lookOut(applicant, this.fleet, now + this.#patienceOf(applicant), now)
    switch (outlook.kind) {
      case 'again': {
        const again = this.#admission.pick(applicant, true, now)
        return again === undefined ? WAIT : this.#assign(again)
      }
      case 'busy':
      case 'coming':
        return WAIT
      case 'starved':
        return outlook
      case 'nothing':
        return this.#mayGrow ? WAIT : NOTHING
    }
  }

  #assign(device: Device): Decision {
    this.#assigned ??= { kind: 'assigned', device }
    this.#assigned.device = device
    return this.#assigned
  }

  /** One object for all that have no limits of their own. */
  #limitsFor({ limits }: DeviceFacts): DeviceLimits {
    return limits === undefined ? this.#sharedLimits : limitsFor(limits, this.#settings.limits)
  }

  #patienceOf({ view }: A): number {
    return view.queueTimeoutMs ?? this.#settings.queue.timeoutMs
  }

  #exitLeft(device: Device): void {
    device.exitEpoch++
    this.onExitLeft(device)
    this.onChange(device)
  }

  #take(device: Device, { site, view }: Applicant, now: number): void {
    view.sticky?.taken(device)
    if (view.isInquiry) return
    device.inFlight++
    device.requests++
    device.inFlightBySite?.set(site, (device.inFlightBySite.get(site) ?? 0) + 1)
    takeCell(device, now)
    this.fleet.began(device)
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
}
