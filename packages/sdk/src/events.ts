import type { BanMatch } from './bans/ban-rule.ts'
import type { RotationFailure, RotationOutcome, RotationTrigger } from './contract/index.ts'
import type { AttemptReport } from './errors.ts'

/** Which device an event is about. */
export interface DeviceRef {
  /** Its id, as `pool.rotate` takes it. */
  readonly deviceId: string
  /** Its name. */
  readonly device: string
}

/** How a rotation ended. */
export interface RotationResult extends DeviceRef {
  /** `changed` only when the exit IP was seen to be another one. */
  readonly outcome: RotationOutcome
  /** What asked for it. */
  readonly trigger: RotationTrigger
  /** Exit IP before; null: not known. */
  readonly oldIp: string | null
  /** Exit IP after; null: not known, so that the outcome is not `changed`. */
  readonly newIp: string | null
  /** From the request to the end, drain included. */
  readonly durationMs: number
  /** Why it failed. */
  readonly reason?: RotationFailure
  /** One sentence for people. */
  readonly detail?: string
}

/** Events of a pool: the name, and what listeners get. Times are milliseconds since 1970. */
export interface PoolEvents {
  /** A request went to a second device because its connection through the first was slow. Nothing had been sent. */
  hedge: [{ readonly site: string; readonly attempt: AttemptReport }]
  /** An attempt failed, or its answer was not wanted, and the request goes on to another device. */
  retry: [{ readonly site: string; readonly attempt: AttemptReport }]
  /**
   * A ban answer, or a report of one: the exit IP is not used for the site until then. `rule`: which rule told, e.g. `status 403` or
   * `cloudflare: challenge`; of a report its reason. `strikes`: requests in a row that met it. `statusCode` is null where a report has none.
   */
  ban: [
    DeviceRef & {
      readonly site: string
      readonly exitIp: string | null
      readonly rule: string
      readonly by: BanMatch['by'] | 'report'
      readonly statusCode: number | null
      readonly until: number
      readonly strikes: number
    },
  ]
  /** Every device that is up is quarantined for the site. */
  starved: [{ readonly site: string; readonly until: number }]
  /** A balancer of your own failed or chose what it may not; the pool chose by itself. The request is not affected. */
  balancerError: [{ readonly error: Error }]
  /**
   * A device's own failures took it out: so many in a row (`faults`), or so many since success rates were last compared, far more than
   * other devices had (`success_rate`).
   */
  eject: [DeviceRef & { readonly faults: number; readonly until: number; readonly reason: 'faults' | 'success_rate' }]
  /** It is back. */
  restore: [DeviceRef]
  /** A device drains, because it or somebody else wants it to rotate. */
  rotationStart: [DeviceRef]
  /** A rotation is over, whoever asked for it; see `outcome`. */
  rotationEnd: [RotationResult]
  /** A trigger asked for a rotation that did not begin. Requests are not affected. */
  rotationError: [DeviceRef & { readonly trigger: RotationTrigger; readonly error: Error }]
  /** Records of attempts that the hub will never hear of. Requests are not affected. */
  usageDropped: [{ readonly dropped: number; readonly reason: string }]
  /** The hub, or the list, has a device that the pool did not know. */
  deviceAdded: [DeviceRef]
  /** The hub no longer has the device, or the filter no longer lets it in. */
  deviceRemoved: [DeviceRef]
  /** A device has another exit IP, by rotation or by itself. */
  ipChanged: [DeviceRef & { readonly oldIp: string | null; readonly newIp: string | null }]
  /**
   * The hub's stream of changes is up or down. While it is down, the last known fleet serves on. `isRefusal`: the hub does not accept
   * the key, so that trying again will not help until somebody changes it.
   */
  source: [
    { readonly isUp: true } | { readonly isUp: false; readonly reason: string; readonly retryInMs: number; readonly isRefusal: boolean },
  ]
  /** Redis answers, or does not. While it does not, the pool goes on with its own limits, which are not those of all processes together. */
  redis: [{ readonly isUp: true } | { readonly isUp: false; readonly reason: string }]
}

/** Tells listeners of the pool. */
export type Emit = <Name extends keyof PoolEvents>(name: Name, ...event: PoolEvents[Name]) => void
