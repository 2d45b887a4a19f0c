import type { Applicant } from './admission-queue.ts'
import type { Candidates } from './balancers/balancer.ts'
import type { Device } from './device.ts'
import { PLAIN_VIEW } from './view.ts'

const NOBODY: Applicant = { site: '', order: 0, tried: [], view: PLAIN_VIEW }

/** A request before the devices with room. One object for all requests, one after another: a pick allocates nothing. */
export class Candidacy implements Candidates {
  readonly open: readonly Device[]
  readonly #perSite: number
  #applicant: Applicant = NOBODY
  #mayReuse: boolean = false
  #now = 0

  /** `perSite`: requests in flight on one device to one site, at most; null: no limit. */
  constructor(open: readonly Device[], perSite: number | null) {
    this.open = open
    this.#perSite = perSite ?? Number.POSITIVE_INFINITY
  }

  /** `mayReuse`: a device that failed the request may have another go. */
  of(applicant: Applicant, mayReuse: boolean, now: number): this {
    this.#applicant = applicant
    this.#mayReuse = mayReuse
    this.#now = now
    return this
  }

  get site(): string {
    return this.#applicant.site
  }

  get hashKey(): string {
    return this.#applicant.view.hashKey ?? this.#applicant.site
  }

  get isSelective(): boolean {
    return this.#applicant.view.accepts !== null
  }

  isEligible(device: Device): boolean {
    const { site, tried, view } = this.#applicant
    return (
      (view.accepts === null || view.accepts(device)) &&
      (device.exit.isClean || device.exit.quarantinedUntil(site, this.#now) === 0) &&
      (this.#mayReuse || tried.length === 0 || !tried.includes(device)) &&
      (device.inFlightBySite === null || (device.inFlightBySite.get(site) ?? 0) < this.#perSite)
    )
  }
}
