import { hashText } from './hash.ts'
import { type DeviceLimits, type OwnLimits, UNLIMITED } from './limits.ts'
import type { ExitMemory } from './quarantine.ts'

/** What the source says of a device. */
export interface DeviceFacts {
  readonly id: string
  readonly name: string
  /** Share of the traffic relative to the others. */
  readonly weight: number
  readonly tags: readonly string[]
  readonly operator: string | null
  readonly region: string | null
  readonly type: string
  /** Limits of its own, where it has them. */
  readonly limits?: OwnLimits | undefined
}

/** Why a device is left alone until a time. `ejected`: its own failures. `fenced`: it said that it is draining. */
export type RestReason = 'ejected' | 'fenced'

/** Where a device stands for new requests. `probing`: back from ejection, one request at a time until one has succeeded. */
export type DeviceState = 'ready' | 'probing' | 'ejected' | 'fenced' | 'rotating' | 'offline'

/** Counted since the pool began. */
export interface DeviceTally {
  faults: number
  bans: number
  ejections: number
}

let devicesMade = 0

/** What the pool core knows of one device. Plain state: `PoolCore` alone writes it. */
export class Device {
  // What every pick looks at comes first: of the devices that it only compares it touches one cache line, of the one that it takes two.
  inFlight = 0
  /** As its facts have it. */
  weight: number
  /** When a balancer last picked it, counted in picks. */
  lastPick = 0
  exit: ExitMemory
  /** How many requests may be in flight now; 0 where it may begin none. What it is made of lies further down; the fleet alone writes it. */
  capacity = 0
  /** Requests in flight by site; null when nobody limits them. */
  inFlightBySite: Map<string, number> | null = null
  limits: DeviceLimits
  /** Requests that it got since the pool began. */
  requests = 0
  /** When its pace lets it begin the next request; 0: now. */
  nextCellAt = 0
  /** Where the fleet keeps it. -1: not there. */
  openIndex = -1
  readyIndex = -1
  probing: boolean = false
  #facts: DeviceFacts
  /** Its neighbours in a balancer's ring; null when it is in none. */
  nextInRing: Device | null = null
  previousInRing: Device | null = null
  /** Of its id: the same in every process. */
  readonly hash: number
  readonly tally: DeviceTally = { faults: 0, bans: 0, ejections: 0 }
  /** Requests and failures since success rates were last compared. */
  readonly window = { requests: 0, failures: 0 }

  exitIp: string | null = null
  /** The source says that it may carry traffic. */
  online: boolean = false
  /** Out of reach for a moment only, as far as the source knows: who has use for it waits. */
  returning: boolean = false
  /** Drained: a rotation is announced or under way. */
  rotating: boolean = false
  /** Counts the changes of its exit IP, those to an IP that nobody knows too. */
  exitEpoch = 0
  rest: { readonly reason: RestReason; readonly until: number } | null = null
  /** Device faults since the last complete response. */
  consecutiveFaults = 0
  /** How often it was ejected in a row; the time doubles with it. */
  ejectionsInARow = 0
  /** Until when its pace is used up; in the past when it is not. */
  pacedUntil = 0
  /** No other device of this process has it. */
  readonly number = ++devicesMade
  /** Where the fleet keeps its alarm, and when the clock alone changes its state. */
  alarmIndex = -1
  alarmAt = Number.POSITIVE_INFINITY
  /** Whether the fleet counts it among those that are up, and those that are ejected. */
  isCountedUp: boolean = false
  isCountedEjected: boolean = false

  constructor(facts: DeviceFacts, exit: ExitMemory, limits: DeviceLimits = UNLIMITED) {
    this.#facts = facts
    this.weight = facts.weight
    this.hash = hashText(facts.id)
    this.exit = exit
    this.limits = limits
  }

  get facts(): DeviceFacts {
    return this.#facts
  }

  set facts(facts: DeviceFacts) {
    this.#facts = facts
    this.weight = facts.weight
  }

  get id(): string {
    return this.#facts.id
  }

  get state(): DeviceState {
    if (this.rotating) return 'rotating'
    if (!this.online) return 'offline'
    if (this.rest !== null) return this.rest.reason
    return this.probing ? 'probing' : 'ready'
  }
}
