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
}

/** Why a device is left alone until a time. `ejected`: its own failures. `fenced`: it said that it is draining. */
export type RestReason = 'ejected' | 'fenced'

/** Where a device stands for new requests. `probing`: back from ejection, one request at a time until one has succeeded. */
export type DeviceState = 'ready' | 'probing' | 'ejected' | 'fenced' | 'rotating' | 'offline'

/** Counted since the pool began. */
export interface DeviceTally {
  requests: number
  faults: number
  bans: number
  ejections: number
}

/** What the pool core knows of one device. Plain state: `PoolCore` alone writes it. */
export class Device {
  facts: DeviceFacts
  exitIp: string | null = null
  exit: ExitMemory
  /** The source says that it may carry traffic. */
  online: boolean = false
  /** Drained: a rotation is announced or under way. */
  rotating: boolean = false
  rest: { readonly reason: RestReason; readonly until: number } | null = null
  probing: boolean = false
  inFlight = 0
  /** Device faults since the last complete response. */
  consecutiveFaults = 0
  /** How often it was ejected in a row; the time doubles with it. */
  ejectionsInARow = 0
  /** Place in the fleet's ready list; -1 when it is not in it. */
  readyIndex = -1
  readonly tally: DeviceTally = { requests: 0, faults: 0, bans: 0, ejections: 0 }

  constructor(facts: DeviceFacts, exit: ExitMemory) {
    this.facts = facts
    this.exit = exit
  }

  get id(): string {
    return this.facts.id
  }

  get state(): DeviceState {
    if (this.rotating) return 'rotating'
    if (!this.online) return 'offline'
    if (this.rest !== null) return this.rest.reason
    return this.probing ? 'probing' : 'ready'
  }
}
