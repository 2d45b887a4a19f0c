import { z } from 'zod'
import { AgentError } from '../../errors.ts'
import { runAfterConnect } from '../after-connect.ts'
import type { DriverParts } from '../create-driver.ts'
import type { DeviceDriver, DeviceStatus, Rung } from '../driver.ts'
import { parseDriverOptions } from '../driver-options.ts'
import { MobileInterface } from '../mobile-interface.ts'
import { RebootBudget } from '../reboot-budget.ts'
import { qmiOptions } from './options.ts'
import { Qmicli } from './qmicli.ts'
import { type Connection, connectionOf, isConnected, isRadioOn, servingSystemOf, settingsOf, signalOf, simOf } from './replies.ts'

// Reference for the times: device-control.md 1.3 and section 3.
const POLL_MS = 1_000
const RESET_MS = 120_000
const GONE_MS = 10_000
/** A carrier may deny once and take the next try; this many looks in a row are meant. */
const DENIALS = 5
/** The longest call: a start of the network, bounded by 60 s, and what comes before and after it. */
const CALL_MS = 90_000
/** The connection that this agent made: an agent that is started anew ends it by these. */
const FILE = 'qmi-connection.json'
const kept = z.object({ handle: z.string(), client: z.string() }).nullable()

/** Opens a modem by its QMI port. Options: `options.ts`. Throws `bad_config`. */
export async function openQmiDriver(options: Record<string, unknown>, parts: DriverParts): Promise<DeviceDriver> {
  return new QmiDriver(parseDriverOptions(qmiOptions, options), parts)
}

class QmiDriver implements DeviceDriver {
  readonly callTimeoutMs = CALL_MS
  readonly link: MobileInterface
  readonly #options: z.output<typeof qmiOptions>
  readonly #parts: DriverParts
  readonly #qmi: Qmicli
  readonly #reboots: RebootBudget
  #isResetting: boolean = false
  #nameServers: readonly string[] = []
  /** A connection by an agent that was killed may not have been set up. */
  #mustSetUp: boolean = true

  constructor(options: z.output<typeof qmiOptions>, parts: DriverParts) {
    this.#options = options
    this.#parts = parts
    this.#qmi = new Qmicli(options)
    this.link = new MobileInterface(options)
    this.#reboots = new RebootBudget(parts)
  }

  get hostAddresses(): readonly string[] {
    return this.link.hostAddresses()
  }

  sourceAddress(): string | null {
    return this.link.address()
  }

  nameServers(): readonly string[] {
    return this.#nameServers
  }

  async ladder(): Promise<readonly Rung[]> {
    const { holdsMs } = this.#options
    return [
      ...holdsMs.map((holdMs): Rung => ({ method: 'airplane_mode', holdMs })),
      { method: 'reconnect', holdMs: holdsMs[0] ?? 0, isOnRequest: true },
      { method: 'modem_reset', holdMs: 0, onlineMs: RESET_MS, isOnRequest: true },
    ]
  }

  async status(signal: AbortSignal): Promise<DeviceStatus> {
    const isOn = isRadioOn(await this.#qmi.ask('--dms-get-operating-mode', signal))
    const sim = simOf(await this.#orNothing('--uim-get-card-status', signal))
    const { registration, telemetry } = servingSystemOf(await this.#orNothing('--nas-get-serving-system', signal))
    const isHeard = registration === 'registered'
    const signalPercent = isHeard ? signalOf(await this.#orNothing('--nas-get-signal-info', signal)) : null
    const { name } = this.link
    const innerIp = isHeard ? this.link.address() : null
    return {
      sim,
      // Switched off, or registered and connected by nobody: both are mended by `up()`. One that searches is neither.
      isDown: isOn === false || (isHeard && !(await this.#isConnected(signal))),
      telemetry: {
        ...telemetry,
        ...(signalPercent === null ? {} : { signal: signalPercent }),
        ...(name === null ? {} : { interface: name, ...(innerIp === null ? {} : { innerIp }) }),
      },
    }
  }

  async down({ method }: Rung, signal: AbortSignal): Promise<void> {
    if (method === 'modem_reset') return this.#reset(signal)
    await this.#disconnect(signal)
    if (method === 'airplane_mode') {
      await this.#qmi.act(['--dms-set-operating-mode=low-power'], signal)
      if (isRadioOn(await this.#qmi.ask('--dms-get-operating-mode', signal)) === false) return
      throw new AgentError('unsupported', 'The modem took "low-power" and left its radio on.')
    }
    if (await this.#isConnected(signal)) {
      throw new AgentError('unsupported', 'The modem is still connected: somebody else connected it, or it does so by itself.')
    }
  }

  async up(signal: AbortSignal): Promise<void> {
    // A modem that starts cannot be told anything: that waits until it answers.
    if (this.#isResetting) return
    if (isRadioOn(await this.#qmi.ask('--dms-get-operating-mode', signal)) === false) {
      await this.#qmi.act(['--dms-set-operating-mode=online'], signal)
    }
    const { registration } = servingSystemOf(await this.#qmi.ask('--nas-get-serving-system', signal))
    if (registration === 'registered' && !(await this.#isConnected(signal))) await this.#connect(signal)
  }

  async waitOnline(signal: AbortSignal): Promise<void> {
    let denials = 0
    for (;;) {
      const look = await this.#look(signal)
      if (look === 'online') return
      denials = look === 'denied' ? denials + 1 : 0
      if (denials === DENIALS) throw new AgentError('no_registration', 'The carrier denies the registration.')
      await this.#parts.clock.sleep(POLL_MS, signal)
    }
  }

  async #look(signal: AbortSignal): Promise<'online' | 'denied' | 'waiting'> {
    try {
      const { registration } = servingSystemOf(await this.#qmi.ask('--nas-get-serving-system', signal))
      this.#isResetting = false
      if (registration === 'denied') return 'denied'
      if (!(await this.#isConnected(signal))) {
        await this.up(signal)
        return 'waiting'
      }
      await this.#setUp(signal)
      return this.link.address() === null ? 'waiting' : 'online'
    } catch (error) {
      if (signal.aborted || !isPassing(error)) throw error
      return 'waiting'
    }
  }

  async #isConnected(signal: AbortSignal): Promise<boolean> {
    return isConnected(await this.#qmi.ask('--wds-get-packet-service-status', signal))
  }

  /** A modem without a SIM, or one that is off, answers some questions with an error: nothing is known then. */
  async #orNothing(question: string, signal: AbortSignal): Promise<string> {
    try {
      return await this.#qmi.ask(question, signal)
    } catch (error) {
      if (signal.aborted || !(error instanceof AgentError) || error.code === 'device_unreachable') throw error
      return ''
    }
  }

  async #connect(signal: AbortSignal): Promise<void> {
    const start = `--wds-start-network=apn='${this.#options.apn}',ip-type=4`
    const connection = connectionOf(await this.#qmi.act([start, '--client-no-release-cid'], signal))
    await this.#parts.stateDir.write(FILE, connection)
    this.#mustSetUp = true
    await this.#setUp(signal)
  }

  async #disconnect(signal: AbortSignal): Promise<void> {
    const connection: Connection | null = (await this.#parts.stateDir.read(FILE, kept)) ?? null
    if (connection === null) return
    try {
      await this.#qmi.act([`--wds-stop-network=${connection.handle}`, `--client-cid=${connection.client}`], signal)
    } catch (error) {
      // The carrier, or a reset, may have ended it before; whether it is off is looked at.
      if (signal.aborted || !(error instanceof AgentError) || error.code === 'device_unreachable') throw error
    }
    await this.#parts.stateDir.write(FILE, null)
  }

  async #setUp(signal: AbortSignal): Promise<void> {
    if (!this.#mustSetUp) return
    const gift = settingsOf(await this.#qmi.ask('--wds-get-current-settings', signal))
    this.#nameServers = gift.dns
    const [program, ...args] = this.#options.afterConnect ?? []
    if (program !== undefined) await runAfterConnect([program, ...args], this.#parts.name, { ...gift, interface: this.link.name }, signal)
    this.#mustSetUp = false
  }

  async #reset(signal: AbortSignal): Promise<void> {
    await this.#reboots.spend()
    // Modems take a reset only when they are offline.
    await this.#qmi.act(['--dms-set-operating-mode=offline'], signal)
    await this.#qmi.act(['--dms-set-operating-mode=reset'], signal)
    await this.#parts.stateDir.write(FILE, null)
    this.#isResetting = true
    this.#mustSetUp = true
    const giveUpAt = this.#parts.clock.now() + GONE_MS
    // Until it is gone it would still say what it was before.
    while ((await this.#isThere(signal)) && this.#parts.clock.now() < giveUpAt) await this.#parts.clock.sleep(POLL_MS, signal)
  }

  async #isThere(signal: AbortSignal): Promise<boolean> {
    try {
      await this.#qmi.ask('--dms-get-operating-mode', signal)
      return true
    } catch (error) {
      if (signal.aborted || !isPassing(error)) throw error
      return false
    }
  }
}

const isPassing = (error: unknown): boolean =>
  error instanceof AgentError && ['device_unreachable', 'busy', 'no_data_session'].includes(error.code)
