import { AdmissionQueue, type Applicant, type Line } from './admission-queue.ts'
import type { Balancer } from './balancers/balancer.ts'
import type { Candidacy } from './candidacy.ts'
import type { Device } from './device.ts'
import type { Fleet } from './fleet.ts'
import { Heap } from './heap.ts'
import { lookOut, type Outlook } from './outlook.ts'
import type { Quarantine } from './quarantine.ts'
import { PLAIN_VIEW } from './view.ts'

/** A device for a request. */
export interface Assignment<A> {
  readonly applicant: A
  readonly device: Device
}

/** Requests that wait in vain. */
export interface Hopeless<A> {
  readonly site: string
  readonly outlook: Extract<Outlook, { kind: 'starved' | 'nothing' }>
  /** Takes them out of the queue. */
  readonly withdraw: () => A[]
}

export interface AdmissionParts {
  readonly fleet: Fleet
  readonly balancer: Balancer
  readonly candidacy: Candidacy
  readonly quarantine: Quarantine
  readonly queueTimeoutMs: number
  /** Counts a request against its device. */
  readonly take: (device: Device, applicant: Applicant, now: number) => void
}

/** Devices that are looked at for others than the one that was picked. */
const LOOKS = 64

/** Of so many requests served from the queue at least one is the one that has waited longest, whatever its priority. */
const OLDEST_EVERY = 8

/**
 * Brings waiting requests and devices together.
 *
 * At rest, no device with room may serve anybody who waits. So only what has changed since is looked at: a device that got room, on which
 * the requests are tried in their order; or, when several did (the hub's first list, the end of an outage), the requests in their
 * order, to each of which the balancer gives a device.
 */
export class Admission<A extends Applicant> {
  readonly queue = new AdmissionQueue<A>()
  readonly #parts: AdmissionParts
  /** Devices that may serve more than when they were last looked at. */
  readonly #fresh = new Set<Device>()
  #devicesWentDown: boolean = false
  #quarantinesSet = 0
  #quarantinesDropped = 0
  #recheckAt = Number.POSITIVE_INFINITY
  #sinceOldest = 0
  #looks = 0

  constructor(parts: AdmissionParts) {
    this.#parts = parts
  }

  /** When the end of a quarantine lets somebody be served. Never too late, perhaps too early. */
  get recheckAt(): number {
    return this.#recheckAt
  }

  /** The device may serve more than before: it got room, or another exit IP. */
  freshen(device: Device): void {
    if (this.queue.length > 0) this.#fresh.add(device)
  }

  /** A device takes no requests any more: of those it did not fail yet, some may have no other left. */
  noteDown(device: Device): void {
    this.#fresh.delete(device)
    this.#devicesWentDown = true
  }

  /** A device for the request now. */
  pick(applicant: Applicant, mayReuse: boolean, now: number): Device | undefined {
    return this.#parts.balancer.pick(this.#parts.candidacy.of(applicant, mayReuse, now))
  }

  /** Up to so many other devices with room that it could have. Looks at no more than a few dozen of them, from a place that moves on. */
  others(applicant: Applicant, first: Device, count: number, now: number): Device[] {
    const { fleet, candidacy } = this.#parts
    const { open } = fleet
    const found: Device[] = []
    candidacy.of(applicant, false, now)
    this.#looks++
    for (let look = 0; look < Math.min(open.length, LOOKS) && found.length < count; look++) {
      const device = open[(this.#looks * LOOKS + look) % open.length]
      if (device !== undefined && device !== first && candidacy.isEligible(device)) found.push(device)
    }
    return found
  }

  /** Puts the request into the queue until the deadline. */
  enqueue(applicant: A, deadline: number, now: number): void {
    if (this.queue.length === 0) this.#beginAnew()
    const isFirst = this.queue.lineFor(applicant) === undefined
    const line = this.queue.add(applicant, deadline)
    if (isFirst) this.#awaitQuarantines(line, now)
  }

  /** Hands free room to those who wait. `now` has been looked at: rests that are over have ended. */
  serve(now: number): Assignment<A>[] {
    const served: Assignment<A>[] = []
    if (this.queue.length === 0) return served
    const { quarantine } = this.#parts
    const wereDropped = quarantine.dropped !== this.#quarantinesDropped
    const mayTryAgain = this.queue.hasTried && (this.#devicesWentDown || quarantine.set !== this.#quarantinesSet)
    // Who keeps to a device that went down may go elsewhere now.
    const mayMove = this.#devicesWentDown
    this.#quarantinesDropped = quarantine.dropped
    this.#quarantinesSet = quarantine.set
    this.#devicesWentDown = false

    const [device, ...others] = this.#fresh
    this.#fresh.clear()
    if (wereDropped || others.length > 0) this.#serveLines([...this.queue.lines()], served, now)
    else {
      if (device !== undefined) this.#serveDevice(device, served, now)
      const isDue = (line: Line<A>) =>
        line.recheckAt <= now || (mayTryAgain && line.head.tried.length > 0) || (mayMove && line.head.view.sticky !== null)
      if (this.#recheckAt <= now || mayTryAgain || mayMove) this.#serveLines([...this.queue.lines()].filter(isDue), served, now)
    }
    if (this.#recheckAt <= now) this.#recheckAt = this.#earliestRecheck()
    return served
  }

  /** Who waits in vain: every device that is up is quarantined for the site, or there is no device at all. */
  hopeless(now: number): Hopeless<A>[] {
    const byChoice = new Map<unknown, Map<string, Hopeless<A> | null>>()
    const hopeless: Hopeless<A>[] = []
    for (const { head } of [...this.queue.lines()]) {
      const { site, view } = head
      const bySite = byChoice.get(view.accepts) ?? new Map<string, Hopeless<A> | null>()
      byChoice.set(view.accepts, bySite)
      if (bySite.has(site)) continue
      const outlook = lookOut(
        { site, order: 0, tried: [], view: { ...PLAIN_VIEW, accepts: view.accepts } },
        this.#parts.fleet,
        now + this.#parts.queueTimeoutMs,
        now,
      )
      const isHopeless = outlook.kind === 'starved' || outlook.kind === 'nothing'
      const one = isHopeless ? { site, outlook, withdraw: () => this.#withdrawAll(site, view.accepts) } : null
      bySite.set(site, one)
      if (one !== null) hopeless.push(one)
    }
    return hopeless
  }

  #withdrawAll(site: string, accepts: unknown): A[] {
    const lines = [...this.queue.lines()].filter(({ head }) => head.site === site && head.view.accepts === accepts)
    return lines.flatMap((line) => this.queue.takeLine(line))
  }

  /** The requests in their order, on one device. */
  #serveDevice(device: Device, served: Assignment<A>[], now: number): void {
    while (device.openIndex >= 0 && this.queue.length > 0) {
      const line = this.queue.next(device, (each) => this.#mayServe(device, each, now), this.#isOldestsTurn())
      if (line === undefined) return
      this.#assign(line, device, served, now)
    }
  }

  #mayServe(device: Device, line: Line<A>, now: number): boolean {
    const { candidacy } = this.#parts
    const { head } = line
    if (candidacy.of(head, false, now).isEligible(device)) return true
    const until = device.exit.quarantinedUntil(head.site, now)
    if (until > 0) this.#recheck(line, until)
    return head.tried.includes(device) && this.#isUpToTried(head, now) && candidacy.of(head, true, now).isEligible(device)
  }

  /** The lines in the order of their heads, each head on the device that the balancer gives it. */
  #serveLines(lines: readonly Line<A>[], served: Assignment<A>[], now: number): void {
    const { fleet } = this.#parts
    const round = new Heap<Line<A>>(isServedBefore, (line, place) => {
      line.roundPlace = place
    })
    for (const line of lines) {
      line.recheckAt = Number.POSITIVE_INFINITY
      round.add(line)
    }
    while (fleet.open.length > 0) {
      const line = this.#isOldestsTurn() ? oldestOf(round) : round.first
      if (line === undefined) return
      const device = this.pick(line.head, false, now) ?? this.#pickAgain(line.head, now)
      if (device === undefined) {
        round.removeAt(line.roundPlace)
        this.#awaitQuarantines(line, now)
        continue
      }
      this.#assign(line, device, served, now)
      if (line.waiting.size === 0) round.removeAt(line.roundPlace)
      else round.moved(line.roundPlace)
    }
  }

  #assign(line: Line<A>, device: Device, served: Assignment<A>[], now: number): void {
    const applicant = line.head
    this.queue.remove(applicant)
    this.#parts.take(device, applicant, now)
    served.push({ applicant, device })
  }

  /** A device that failed this request already, where no other is up. */
  #pickAgain(applicant: A, now: number): Device | undefined {
    return applicant.tried.length > 0 && this.#isUpToTried(applicant, now) ? this.pick(applicant, true, now) : undefined
  }

  #isUpToTried(applicant: A, now: number): boolean {
    return lookOut(applicant, this.#parts.fleet, now, now).kind === 'again'
  }

  #isOldestsTurn(): boolean {
    if (!this.queue.hasPriorities) return false
    this.#sinceOldest = (this.#sinceOldest + 1) % OLDEST_EVERY
    return this.#sinceOldest === 0
  }

  /** Finds out when a quarantine ends that keeps a device with room from serving the line. */
  #awaitQuarantines(line: Line<A>, now: number): void {
    const { site, view } = line.head
    for (const device of this.#parts.fleet.open) {
      const until = device.exit.quarantinedUntil(site, now)
      if (until > 0 && (view.accepts === null || view.accepts(device))) this.#recheck(line, until)
    }
  }

  #recheck(line: Line<A>, at: number): void {
    line.recheckAt = Math.min(line.recheckAt, at)
    this.#recheckAt = Math.min(this.#recheckAt, at)
  }

  #earliestRecheck(): number {
    let earliest = Number.POSITIVE_INFINITY
    for (const { recheckAt } of this.queue.lines()) earliest = Math.min(earliest, recheckAt)
    return earliest
  }

  /** Nobody waited: what happened before concerns nobody. */
  #beginAnew(): void {
    this.#fresh.clear()
    this.#devicesWentDown = false
    this.#quarantinesSet = this.#parts.quarantine.set
    this.#quarantinesDropped = this.#parts.quarantine.dropped
    this.#recheckAt = Number.POSITIVE_INFINITY
  }
}

const isServedBefore = <A extends Applicant>(one: Line<A>, other: Line<A>): boolean =>
  one.priority > other.priority || (one.priority === other.priority && one.head.order < other.head.order)

const oldestOf = <A extends Applicant>(lines: Heap<Line<A>>): Line<A> | undefined => {
  let oldest: Line<A> | undefined
  for (const line of lines) if (oldest === undefined || line.head.order < oldest.head.order) oldest = line
  return oldest
}
