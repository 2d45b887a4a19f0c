import type { Duplex } from 'node:stream'
import { type SimulatorKnobs, simulatorKnobs } from '../../sim/knobs.ts'
import { LinkConnection } from '../../sim/link.ts'
import { addressOf, freshModem, isOnline, type ModemState, modemState, sessionEnd, switchOff, switchOn } from '../../sim/modem.ts'
import { seededRandom } from '../../sim/random.ts'
import { Saboteur } from '../../sim/sabotage.ts'
import type { Clock } from '../clock.ts'
import { AgentError } from '../errors.ts'
import type { PrivateDir } from '../state/private-dir.ts'
import type { DeviceDriver, DeviceStatus, Rung } from './driver.ts'
import { parseDriverOptions } from './driver-options.ts'

const FILE = 'simulated-modem.json'
const POLL_MS = 20
const HOST_ADDRESS = '127.0.0.1'

/**
 * Opens the simulated device: exit IPs are loopback addresses, a rotation takes the next one after a hold, and while the radio is off its
 * connections are silent. Options: `sim/knobs.ts`. Throws `bad_config` naming the knob that is wrong.
 */
export async function openSimulatedDriver(
  options: Record<string, unknown>,
  parts: { readonly clock: Clock; readonly stateDir: Pick<PrivateDir, 'read' | 'write'> },
): Promise<DeviceDriver> {
  const knobs = parseDriverOptions(simulatorKnobs, options)
  const kept = await parts.stateDir.read(FILE, modemState)
  return new SimulatedDriver(knobs, parts, kept ?? freshModem(parts.clock.now()))
}

class SimulatedDriver implements DeviceDriver {
  readonly hostAddresses = [HOST_ADDRESS]
  readonly #knobs: SimulatorKnobs
  readonly #clock: Clock
  readonly #stateDir: Pick<PrivateDir, 'read' | 'write'>
  readonly #random: () => number
  readonly #saboteur: Saboteur | null
  readonly #connections = new Set<LinkConnection>()
  readonly #closing = new AbortController()
  #modem: ModemState
  #timeoutsLeft: number

  constructor(
    knobs: SimulatorKnobs,
    parts: { readonly clock: Clock; readonly stateDir: Pick<PrivateDir, 'read' | 'write'> },
    modem: ModemState,
  ) {
    this.#knobs = knobs
    this.#clock = parts.clock
    this.#stateDir = parts.stateDir
    this.#random = seededRandom(knobs.seed)
    this.#saboteur = knobs.sabotage ? new Saboteur(knobs.sabotage, knobs.sabotageProbability, seededRandom(knobs.seed)) : null
    // A pool that has become smaller has lost its last addresses.
    this.#modem = { ...modem, address: modem.address % knobs.poolSize }
    this.#timeoutsLeft = knobs.timeoutTimes
    void this.#loseSession()
  }

  async ladder(): Promise<readonly Rung[]> {
    return this.#knobs.holdsMs.map((holdMs) => ({ method: 'airplane_mode', holdMs }))
  }

  async status(signal: AbortSignal): Promise<DeviceStatus> {
    await this.#reach(signal)
    const { operator, simMissing, batteryLow } = this.#knobs
    return {
      sim: simMissing ? 'missing' : 'ready',
      isDown: this.#modem.radio === 'off',
      telemetry: { operator, networkType: 'LTE', signal: 70, battery: batteryLow ? 4 : 87, temperature: 31.2 },
    }
  }

  async down(_rung: Rung, signal: AbortSignal): Promise<void> {
    await this.#reach(signal)
    await this.#set(switchOff(this.#modem, this.#knobs, this.#clock.now()))
    this.#silence()
  }

  async up(signal: AbortSignal): Promise<void> {
    await this.#reach(signal)
    await this.#set(switchOn(this.#modem, this.#knobs, this.#clock.now(), this.#random))
  }

  async waitOnline(signal: AbortSignal): Promise<void> {
    while (!isOnline(this.#modem, this.#knobs, this.#clock.now())) {
      if (this.#modem.isDenied) throw new AgentError('no_registration', 'The carrier denies the registration.')
      await this.#clock.sleep(POLL_MS, signal)
    }
  }

  sourceAddress(): string | null {
    if (this.#knobs.leak) return HOST_ADDRESS
    return isOnline(this.#modem, this.#knobs, this.#clock.now()) ? addressOf(this.#modem, this.#knobs) : null
  }

  nameServers(): readonly string[] {
    return this.#knobs.nameServers
  }

  carry(connection: Duplex): Duplex {
    const link = new LinkConnection(this.#saboteur?.stepInto(connection) ?? connection)
    this.#connections.add(link)
    link.once('close', () => this.#connections.delete(link))
    return link
  }

  async close(): Promise<void> {
    this.#closing.abort()
  }

  /** A session that is lost says so to nobody. */
  async #loseSession(): Promise<void> {
    const end = sessionEnd(this.#modem, this.#knobs)
    if (end === Number.POSITIVE_INFINITY) return
    await this.#clock.sleep(end - this.#clock.now(), this.#closing.signal).catch(() => {})
    if (!this.#closing.signal.aborted && sessionEnd(this.#modem, this.#knobs) === end) this.#silence()
  }

  #silence(): void {
    for (const connection of this.#connections) connection.goSilent()
    this.#connections.clear()
  }

  /** What stands between a command and the device. */
  async #reach(signal: AbortSignal): Promise<void> {
    const { offline, unauthorized, loginRequired, lateReply } = this.#knobs
    if (this.#timeoutsLeft > 0) {
      this.#timeoutsLeft -= 1
      await new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      })
    }
    if (lateReply > 0) await this.#clock.sleep(lateReply, signal)
    if (offline) throw new AgentError('device_unreachable', 'adb: device offline')
    if (unauthorized) throw new AgentError('permission_denied', 'adb: device unauthorized; confirm the dialog on the phone')
    if (loginRequired) throw new AgentError('auth_failed', 'The modem asks for a password.')
    if (this.#clock.now() < this.#modem.presentAt) throw new AgentError('device_unreachable', 'The modem is not on its bus.')
  }

  async #set(modem: ModemState): Promise<void> {
    if (modem === this.#modem) return
    this.#modem = modem
    await this.#stateDir.write(FILE, modem)
  }
}
