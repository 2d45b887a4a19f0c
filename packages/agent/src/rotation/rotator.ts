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
import { rotate } from './rotate.ts'
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
  readonly journal: CommandJournal
  /** Cuts every connection to the hub: they are made anew by the route as it is then. */
  cutHub(): void
  /** Called after each rotation. */
  onEnd(): void
}

/** Carries out the hub's orders on the device, one at a time. */
export class Rotator {
  readonly #parts: RotatorParts
  readonly #tell: ReturnType<typeof createProgress>
  #isRotating: boolean = false

  constructor(parts: RotatorParts) {
    this.#parts = parts
    this.#tell = createProgress(parts.hub, parts.log, rotationTimes.progressMs)
  }

  get isRotating(): boolean {
    return this.#isRotating
  }

  /** Rotates as ordered; the order is in the journal. */
  rotate(order: Order, stop: AbortSignal): Promise<RotationResult> {
    return this.#alone(() => rotate(order, this.#ports(order.id), stop))
  }

  /** Ends what an agent that was killed has begun. */
  resume(interrupted: JournalEntry, stop: AbortSignal): Promise<RotationResult> {
    const { oldIp, method, hasGoneDown } = interrupted
    const facts = { oldIp, method, newIp: null }
    return this.#alone(() => resumeRotation({ facts, hasGoneDown }, this.#ports(interrupted.id), stop))
  }

  async #alone(run: () => Promise<RotationResult>): Promise<RotationResult> {
    this.#isRotating = true
    try {
      return await run()
    } finally {
      this.#isRotating = false
      this.#parts.onEnd()
    }
  }

  #ports(id: string): RotationPorts {
    const { clock, log, driver, traffic, gate, cutHub, egress, hub, journal } = this.#parts
    return {
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
      progress: (state, { method, oldIp, newIp }) =>
        this.#tell(id, { state, method, old_ip: oldIp, new_ip: newIp, reason: null, detail: null }),
      keep: ({ method, oldIp }) => journal.update(id, { method, oldIp, hasGoneDown: true }),
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
