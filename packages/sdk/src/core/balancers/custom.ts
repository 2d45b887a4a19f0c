import type { Device } from '../device.ts'
import type { Balancer, Candidates } from './balancer.ts'
import { leastConnections } from './least-connections.ts'

/** A device as a balancer of your own sees it. It shows how things are now, and cannot be changed. */
export interface BalancerDevice {
  /** As events, errors and `pool.rotate` know it. */
  readonly id: string
  /** What people call it. */
  readonly name: string
  /** The address that sites see; null: not known. */
  readonly exitIp: string | null
  /** Share of the traffic that it is to get, relative to the others. */
  readonly weight: number
  /** Requests under way on it. */
  readonly inFlight: number
  /** The device's tags, in the order in which they were given. */
  readonly tags: readonly string[]
  /** Mobile operator; null: not known. */
  readonly operator: string | null
  /** Where it is, as its owner writes it; null: not known. */
  readonly region: string | null
  /** `android`, `usb_modem`, `raspberry_pi`, `mini_pc` or `generic`. */
  readonly type: string
}

/** What a balancer of your own chooses from, for one request. Valid only during the call. */
export interface BalancerCandidates {
  /** Devices with room for one more request, in no order that lasts. Not all of them may take this request. */
  readonly devices: readonly BalancerDevice[]
  /** Whether this one may: it is not quarantined for the request's site, did not fail this request, is of the request's choice. */
  isEligible(device: BalancerDevice): boolean
  /** Those of `devices` that may. Walks over them all: in a fleet of thousands ask `isEligible` of a few instead. */
  eligible(): BalancerDevice[]
  /** The registrable domain of the target. */
  readonly site: string
  /** Requests with the same key belong together: the view's or the `hashKey` option's, else the site. */
  readonly hashKey: string
}

/** A balancer of your own. */
export interface CustomBalancer {
  /**
   * Chooses the device for one request: one of `candidates.devices` that is eligible. Called once an attempt, at once and
   * synchronously, and only when there may be a choice; requests that had to wait get the device that becomes free. When it throws, or
   * returns anything else, the pool says so with the event `balancerError` and chooses by itself (least connections).
   */
  pick(candidates: BalancerCandidates): BalancerDevice
}

class Shown implements BalancerDevice {
  readonly #device: Device

  constructor(device: Device) {
    this.#device = device
  }

  get id(): string {
    return this.#device.facts.id
  }

  get name(): string {
    return this.#device.facts.name
  }

  get exitIp(): string | null {
    return this.#device.exitIp
  }

  get weight(): number {
    return this.#device.facts.weight
  }

  get inFlight(): number {
    return this.#device.inFlight
  }

  get tags(): readonly string[] {
    return this.#device.facts.tags
  }

  get operator(): string | null {
    return this.#device.facts.operator
  }

  get region(): string | null {
    return this.#device.facts.region
  }

  get type(): string {
    return this.#device.facts.type
  }

  static deviceOf(shown: Shown): Device {
    return shown.#device
  }
}

/** Asks a balancer of the user's own, and stands in for it when it fails. `onTrouble` is told of every failure. */
export function customBalancer(custom: CustomBalancer, random: () => number, onTrouble: (error: Error) => void): Balancer {
  const standIn = leastConnections(random)
  const shownOf = new WeakMap<Device, Shown>()
  const shown: Shown[] = []
  const places = new WeakMap<Device, number>()

  const ask = (candidates: Candidates): Device => {
    const deviceOf = (device: BalancerDevice): Device | undefined => {
      if (!(device instanceof Shown)) return undefined
      const known = Shown.deviceOf(device)
      return places.has(known) ? known : undefined
    }
    const isEligible = (device: BalancerDevice): boolean => {
      const known = deviceOf(device)
      return known !== undefined && candidates.isEligible(known)
    }
    const { site, hashKey } = candidates
    const said: unknown = custom.pick({ devices: shown, isEligible, eligible: () => shown.filter(isEligible), site, hashKey })
    const device = said instanceof Shown ? deviceOf(said) : undefined
    if (device === undefined) throw new Error(`the balancer's pick() returned ${describe(said)} instead of one of the devices it was given`)
    if (!candidates.isEligible(device))
      throw new Error(`the balancer's pick() chose ${device.facts.name}, which may not take this request for ${site}: ask isEligible first`)
    return device
  }

  return {
    pick(candidates) {
      // Whether there is a choice at all is found out first: for no devices there is no right answer.
      const fallback = standIn.pick(candidates)
      if (fallback === undefined) return undefined
      try {
        return ask(candidates)
      } catch (error) {
        onTrouble(error instanceof Error ? error : new Error(String(error)))
        return fallback
      }
    },
    opened(device) {
      const known = shownOf.get(device) ?? new Shown(device)
      shownOf.set(device, known)
      places.set(device, shown.push(known) - 1)
    },
    closed(device) {
      const place = places.get(device)
      if (place === undefined) return
      places.delete(device)
      const last = shown.pop()
      if (last === undefined || last === shownOf.get(device)) return
      shown[place] = last
      places.set(Shown.deviceOf(last), place)
    },
  }
}

const describe = (value: unknown): string =>
  value instanceof Promise
    ? 'a promise'
    : value === null
      ? 'null'
      : Array.isArray(value)
        ? 'a list'
        : typeof value === 'object'
          ? 'an object'
          : String(value)
