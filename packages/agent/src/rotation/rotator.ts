import type { Logger } from 'pino'
import type { Clock } from '../clock.ts'
import type { CommandJournal, JournalEntry } from '../commands/journal.ts'
import { createProgress } from '../commands/progress.ts'
import type { DeviceDriver } from '../drivers/driver.ts'
import type { Egress } from '../egress/egress.ts'
import { AgentError } from '../errors.ts'
import type { HubClient, Order } from '../hub/hub-client.ts'
import type { Entrance } from '../traffic.ts'
import type { TrafficGate } from '../traffic-gate.ts'
import type { RotationPorts } from './ports.ts'
import type { RotationResult } from './result.ts'
import { resumeRotation } from './resume.ts'
import { type RotationOrder, rotate } from './rotate.ts'
import { rotationTimes } from './times.ts'

/** What rotations of this device act upon. */
export interface RotatorParts {
  readonly clock: Clock
  readonly log: Logger
  readonly driver: DeviceDriver
  readonly traffic: Pick<Entrance, 'drained' | 'destroyConnections'>
  readonly gate: TrafficGate
  readonly egress: Pick<Egress, 'reset'>
  readonly hub: Pick<HubClient, 'echo' | 'report'>
  /** What is known of how long the device must be off; null where nothing is to be learned. */
  readonly holds: RotationPorts['holds'] | null
  /** Null where there are no orders. */
  readonly journal: CommandJournal | null
  /** Cuts every connection to the hub: they are made anew by the route as it is then. */
  cutHub(): void
  /** Called after each rotation. */
  onEnd(): void
}

/** A rotation that is over. */
export interface PastRotation {
  /** `hub`: ordered by the hub; `here`: by somebody at this machine. */
  readonly by: 'hub' | 'here'
  readonly startedAt: number
  readonly endedAt: number
  readonly result: RotationResult
}

/** Rotates the device, one rotation at a time. */
export class Rotator {
  readonly #parts: RotatorParts
  readonly #tell: ReturnType<typeof createProgress>
  /** Resolves when the rotation under way is over; null when there is none. */
  #turn: Promise<void> | null = null
  #isRotating: boolean = false
  #last: PastRotation | null = null
  readonly #counts = { changed: 0, unchanged: 0, failed: 0 }

  constructor(parts: RotatorParts) {
    this.#parts = parts
    this.#tell = createProgress(parts.hub, parts.log, rotationTimes.progressMs)
  }

  get isRotating(): boolean {
    return this.#isRotating
  }

  /** Whether a rotation runs, or something else that has the device for itself. */
  get isBusy(): boolean {
    return this.#turn !== null
  }

  /** Has the device for itself meanwhile: the hub's orders wait, others are refused. Throws `busy` while a rotation runs. */
  async alone<T>(run: () => Promise<T>): Promise<T> {
    if (this.#turn !== null) throw new AgentError('busy', 'The device is rotating.')
    return this.#inTurn(run)
  }

  /** The rotation that ended last, since the agent was started. */
  get last(): PastRotation | null {
    return this.#last
  }

  /** Rotations since the start of the agent, by how they ended. */
  get counts(): Readonly<Record<RotationResult['state'], number>> {
    return this.#counts
  }

  /** Rotates as the hub has ordered; the order is in the journal. Waits for a rotation that somebody at this machine has begun. */
  async rotate(order: Order, stop: AbortSignal): Promise<RotationResult> {
    while (this.#turn !== null) await this.#turn
    return this.#rotating('hub', () => rotate(order, this.#ports(order.id), stop))
  }

  /** Rotates for somebody at this machine. Throws `busy` while another rotation runs. */
  async rotateHere(order: RotationOrder, stop: AbortSignal): Promise<RotationResult> {
    if (this.#turn !== null) {
      const what = this.#isRotating ? 'is rotating already' : 'is being brought back'
      throw new AgentError('busy', `The device ${what}: wait until that is over.`)
    }
    return this.#rotating('here', () => rotate(order, this.#ports(null), stop))
  }

  /** Ends what an agent that was killed has begun. */
  resume(interrupted: JournalEntry, stop: AbortSignal): Promise<RotationResult> {
    const { oldIp, method, hasGoneDown } = interrupted
    const facts = { oldIp, method, newIp: null }
    return this.#rotating('hub', () => resumeRotation({ facts, hasGoneDown }, this.#ports(interrupted.id), stop))
  }

  async #rotating(by: PastRotation['by'], run: () => Promise<RotationResult>): Promise<RotationResult> {
    const startedAt = this.#parts.clock.now()
    this.#isRotating = true
    try {
      const result = await this.#inTurn(run)
      this.#last = { by, startedAt, endedAt: this.#parts.clock.now(), result }
      this.#counts[result.state] += 1
      return result
    } finally {
      this.#isRotating = false
      this.#parts.onEnd()
    }
  }

  async #inTurn<T>(run: () => Promise<T>): Promise<T> {
    let end: () => void = () => {}
    this.#turn = new Promise((resolve) => {
      end = resolve
    })
    try {
      return await run()
    } finally {
      this.#turn = null
      end()
    }
  }

  /** What a rotation acts upon; `id` is that of the hub's order, null where it has given none. */
  #ports(id: string | null): RotationPorts {
    const { clock, log, driver, traffic, gate, cutHub, egress, hub, journal, holds } = this.#parts
    return {
      ...(holds ? { holds } : {}),
      clock,
      driver,
      traffic: {
        fence: () => gate.fence(),
        unfence: () => gate.unfence(),
        drained: () => traffic.drained(),
        cut: () => {
          const cut = traffic.destroyConnections()
          if (cut > 0) log.info({ rotation: id, connections: cut }, 'connections cut that had not ended in time')
          cutHub()
          egress.reset()
        },
      },
      probe: async (signal) => {
        const exitIp = await probeExitIp(hub, signal)
        if (!gate.see(exitIp))
          throw new AgentError('egress_leak', `Traffic leaves by the host's own address ${exitIp}, not by the device's.`)
        return exitIp
      },
      lastExitIp: () => gate.lastExitIp,
      progress: async (state, { method, oldIp, newIp }) => {
        if (id !== null) await this.#tell(id, { state, method, old_ip: oldIp, new_ip: newIp, reason: null, detail: null })
      },
      keep: async ({ method, oldIp }) => {
        if (id !== null) await journal?.update(id, { method, oldIp, hasGoneDown: true })
      },
    }
  }
}

/** Asks the hub for the address that it sees. */
async function probeExitIp(hub: Pick<HubClient, 'echo'>, signal: AbortSignal): Promise<string> {
  try {
    return await hub.echo(signal)
  } catch (error) {
    if (signal.aborted) throw signal.reason
    throw new AgentError('probe_failed', `The exit IP could not be found. ${error instanceof Error ? error.message : ''}`, { cause: error })
  }
}
