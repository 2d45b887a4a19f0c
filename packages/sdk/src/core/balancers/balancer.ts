import type { Device } from '../device.ts'

/** The devices among which a balancer chooses for one request. */
export interface Candidates {
  /** Devices with room for one more request, in no order that lasts. Not all of them may take this request. */
  readonly open: readonly Device[]
  /** Requests with the same key are to go to the same device, where the balancer cares. */
  readonly hashKey: string
  /** The request takes only devices of its own choice, so what is passed over for it says nothing about other requests. */
  readonly isSelective: boolean
  readonly site: string
  /** Whether this one may take this request now: it is not quarantined for the site, was not tried before, is of the request's choice. */
  isEligible(device: Device): boolean
}

/**
 * A way to spread requests. Called once a request, so it must not walk over a large fleet when the first candidates will do.
 * The core counts requests in flight itself; a balancer keeps only what its own order needs, and is told how the fleet changes.
 * Who had to wait in the queue gets the device that becomes free, without a choice.
 */
export interface Balancer {
  /** One of `open` that is eligible; undefined only when there is none. */
  pick(candidates: Candidates): Device | undefined
  /** The device has joined the fleet, up or not. */
  joined?(device: Device): void
  left?(device: Device): void
  /** The device has room for one more request. */
  opened?(device: Device): void
  closed?(device: Device): void
}
