import type { Device } from './device.ts'
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

export interface Waiting<A extends Applicant> {
  readonly applicant: A
  /** When its patience ends. */
  readonly deadline: number
}

/** First come, first served, over the whole pool: a request is bound to a device only when that device is free. */
export class AdmissionQueue<A extends Applicant> {
  #waiting: Waiting<A>[] = []
  #earliestDeadline = Number.POSITIVE_INFINITY

  get length(): number {
    return this.#waiting.length
  }

  /** When the first one's patience ends; infinity when nobody waits. Never too late, perhaps too early. */
  get earliestDeadline(): number {
    return this.#earliestDeadline
  }

  add(applicant: A, deadline: number): void {
    let index = this.#waiting.length
    while (index > 0 && (this.#waiting[index - 1]?.applicant.order ?? -1) > applicant.order) index--
    this.#waiting.splice(index, 0, { applicant, deadline })
    this.#earliestDeadline = Math.min(this.#earliestDeadline, deadline)
  }

  /** Takes a request out that is no longer wanted; false when it does not wait. */
  remove(applicant: A): boolean {
    const index = this.#waiting.findIndex((waiting) => waiting.applicant === applicant)
    if (index >= 0) this.#waiting.splice(index, 1)
    if (this.#waiting.length === 0) this.#earliestDeadline = Number.POSITIVE_INFINITY
    return index >= 0
  }

  /** Takes the first one out that the test accepts. */
  takeFirst(accepts: (applicant: A) => boolean): A | undefined {
    const waiting = this.#waiting.find(({ applicant }) => accepts(applicant))
    if (waiting !== undefined) this.remove(waiting.applicant)
    return waiting?.applicant
  }

  /** Takes everybody out that the test accepts. */
  takeAll(accepts: (waiting: Waiting<A>) => boolean): A[] {
    const taken: A[] = []
    const staying: Waiting<A>[] = []
    for (const waiting of this.#waiting) {
      if (accepts(waiting)) taken.push(waiting.applicant)
      else staying.push(waiting)
    }
    this.#waiting = staying
    this.#earliestDeadline = staying.reduce((earliest, { deadline }) => Math.min(earliest, deadline), Number.POSITIVE_INFINITY)
    return taken
  }

  /** The sites that somebody waits for. */
  sites(): Set<string> {
    return new Set(this.#waiting.map(({ applicant }) => applicant.site))
  }
}
