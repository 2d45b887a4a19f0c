import type { Device } from '../device.ts'

/** The devices among which a balancer chooses. */
export interface Candidates {
  /** Devices that are up. Not all of them may take this request. */
  readonly ready: readonly Device[]
  /** Whether this one may take this request now: it has room, is not quarantined for the site, was not tried before. */
  readonly isEligible: (device: Device) => boolean
}

/**
 * A way to spread requests. Called once a request, so it must not walk over a large fleet when the first candidates will do.
 * The core counts requests in flight itself; a balancer keeps only what its own order needs.
 */
export interface Balancer {
  /** One eligible device, or undefined when there is none. */
  pick(candidates: Candidates): Device | undefined
}
