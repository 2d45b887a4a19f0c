import type { Device } from './device.ts'
import { Heap } from './heap.ts'
import type { View } from './view.ts'

/** A request as the core sees it. */
export interface Applicant {
  readonly site: string
  /** Its place among all requests: the earlier the smaller. A retry keeps the place that its request came with. */
  readonly order: number
  /** Devices that already failed it. */
  readonly tried: readonly Device[]
  readonly view: View
}

type Accepts = View['accepts']

interface Waiting<A extends Applicant> {
  readonly applicant: A
  /** When its patience ends. */
  readonly deadline: number
  readonly line: Line<A>
  linePlace: number
  deadlinePlace: number
}

/**
 * Requests that wait for the same: a device that may serve one of them may serve any. They have the site, the choice of devices,
 * the devices that failed them, and the priority in common.
 */
export class Line<A extends Applicant> {
  readonly key: string
  readonly waiting = new Heap<Waiting<A>>(
    (one, other) => one.applicant.order < other.applicant.order,
    (waiting, place) => {
      waiting.linePlace = place
    },
  )
  /** When a quarantine ends that alone keeps a device with room from serving it; infinity when none does. */
  recheckAt = Number.POSITIVE_INFINITY
  /** Where it lies among the lines of its group, and among those that are being served. */
  groupPlace = -1
  roundPlace = -1
  /** The one to be served next. */
  head: A
  readonly priority: number

  constructor(key: string, first: A) {
    this.key = key
    this.head = first
    this.priority = first.view.priority
  }
}

/** Lines of one priority that accept the same devices. */
interface Group<A extends Applicant> {
  readonly accepts: Accepts
  readonly byKey: Map<string, Line<A>>
  readonly lines: Heap<Line<A>>
}

interface Level<A extends Applicant> {
  readonly priority: number
  readonly groups: Map<Accepts, Group<A>>
}

/**
 * Who waits for a device, over the whole pool: a request is bound to a device only when that device is free. Higher priority first,
 * among equals first come, first served.
 *
 * Requests that wait for the same stand in one line, so that a device that becomes free is held against lines, not against requests:
 * of those, only the ones that have to be passed over because the device may not serve them. Joining, leaving, being served and
 * running out of patience cost O(log n).
 */
export class AdmissionQueue<A extends Applicant> {
  readonly #byApplicant = new Map<A, Waiting<A>>()
  readonly #deadlines = new Heap<Waiting<A>>(
    (one, other) => one.deadline < other.deadline,
    (waiting, place) => {
      waiting.deadlinePlace = place
    },
  )
  /** Highest priority first. */
  readonly #levels: Level<A>[] = []
  #triedLines = 0

  get length(): number {
    return this.#byApplicant.size
  }

  /** When the first one's patience ends; infinity when nobody waits. */
  get earliestDeadline(): number {
    return this.#deadlines.first?.deadline ?? Number.POSITIVE_INFINITY
  }

  /** Whether requests of different priority wait. */
  get hasPriorities(): boolean {
    return this.#levels.length > 1
  }

  /** Whether somebody waits whom a device failed already. */
  get hasTried(): boolean {
    return this.#triedLines > 0
  }

  /** The line that the request would join; undefined when nobody waits for the same. */
  lineFor(applicant: A): Line<A> | undefined {
    return this.#groupFor(applicant)?.byKey.get(keyOf(applicant))
  }

  /** Returns the line that the request joined. */
  add(applicant: A, deadline: number): Line<A> {
    const group = this.#groupFor(applicant) ?? this.#openGroup(applicant)
    const key = keyOf(applicant)
    const line = group.byKey.get(key) ?? this.#openLine(group, key, applicant)
    const waiting: Waiting<A> = { applicant, deadline, line, linePlace: -1, deadlinePlace: -1 }
    line.waiting.add(waiting)
    this.#headChanged(group, line)
    this.#deadlines.add(waiting)
    this.#byApplicant.set(applicant, waiting)
    return line
  }

  /** Takes a request out that is served or no longer wanted; false when it does not wait. */
  remove(applicant: A): boolean {
    const waiting = this.#byApplicant.get(applicant)
    if (waiting === undefined) return false
    this.#byApplicant.delete(applicant)
    this.#deadlines.removeAt(waiting.deadlinePlace)
    const { line } = waiting
    line.waiting.removeAt(waiting.linePlace)
    const group = this.#groupFor(applicant)
    if (group === undefined) return true
    if (line.waiting.size > 0) this.#headChanged(group, line)
    else this.#closeLine(group, line)
    return true
  }

  /**
   * The line whose head is to be served next, among those that pass. `oldestFirst`: whoever has waited longest, whatever the
   * priority. Groups that do not accept the device are not looked into.
   */
  next(device: Device, passes: (line: Line<A>) => boolean, oldestFirst: boolean): Line<A> | undefined {
    let best: Line<A> | undefined
    for (const { groups } of this.#levels) {
      for (const { accepts, lines } of groups.values()) {
        if (accepts !== null && !accepts(device)) continue
        const line = lines.find(passes)
        if (line !== undefined && (best === undefined || line.head.order < best.head.order)) best = line
      }
      if (best !== undefined && !oldestFirst) return best
    }
    return best
  }

  /** All lines, in no order. */
  *lines(): IterableIterator<Line<A>> {
    for (const { groups } of this.#levels) for (const { lines } of groups.values()) yield* lines
  }

  /** Takes everybody out whose patience has ended. */
  takeLate(now: number): A[] {
    const late: A[] = []
    for (let first = this.#deadlines.first; first !== undefined && first.deadline <= now; first = this.#deadlines.first) {
      late.push(first.applicant)
      this.remove(first.applicant)
    }
    return late
  }

  /** Takes a whole line out, in order. */
  takeLine(line: Line<A>): A[] {
    const taken: A[] = []
    for (let { first } = line.waiting; first !== undefined; first = line.waiting.first) {
      taken.push(first.applicant)
      this.remove(first.applicant)
    }
    return taken
  }

  /** Takes everybody out, in the order in which they came. */
  takeAll(): A[] {
    const all = [...this.#byApplicant.keys()].sort((one, other) => one.order - other.order)
    for (const applicant of all) this.remove(applicant)
    return all
  }

  #groupFor({ view }: A): Group<A> | undefined {
    return this.#levels.find(({ priority }) => priority === view.priority)?.groups.get(view.accepts)
  }

  #openGroup({ view: { accepts, priority } }: A): Group<A> {
    let level = this.#levels.find((known) => known.priority === priority)
    if (level === undefined) {
      level = { priority, groups: new Map() }
      this.#levels.push(level)
      this.#levels.sort((one, other) => other.priority - one.priority)
    }
    const lines = new Heap<Line<A>>(
      (one, other) => one.head.order < other.head.order,
      (line, place) => {
        line.groupPlace = place
      },
    )
    const group: Group<A> = { accepts, byKey: new Map(), lines }
    level.groups.set(accepts, group)
    return group
  }

  #openLine(group: Group<A>, key: string, first: A): Line<A> {
    const line = new Line(key, first)
    group.byKey.set(key, line)
    group.lines.add(line)
    if (first.tried.length > 0) this.#triedLines++
    return line
  }

  #closeLine(group: Group<A>, line: Line<A>): void {
    group.byKey.delete(line.key)
    group.lines.removeAt(line.groupPlace)
    if (line.head.tried.length > 0) this.#triedLines--
    if (group.byKey.size > 0) return
    const level = this.#levels.findIndex(({ priority }) => priority === line.priority)
    const groups = this.#levels[level]?.groups
    groups?.delete(group.accepts)
    if (groups?.size === 0) this.#levels.splice(level, 1)
  }

  #headChanged(group: Group<A>, line: Line<A>): void {
    const head = line.waiting.first?.applicant
    if (head === undefined || head === line.head) return
    line.head = head
    group.lines.moved(line.groupPlace)
  }
}

/** Of the site and the devices that failed the request. Host names have no spaces. */
const keyOf = ({ site, tried }: Applicant): string =>
  tried.length === 0 ? site : `${site} ${tried.map((device) => device.number).join(' ')}`
