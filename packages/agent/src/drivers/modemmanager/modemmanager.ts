import type { z } from 'zod'
import { AgentError, type AgentErrorCode } from '../../errors.ts'
import { runAfterConnect } from '../after-connect.ts'
import type { DriverParts } from '../create-driver.ts'
import type { DeviceDriver, DeviceStatus, Rung } from '../driver.ts'
import { parseDriverOptions } from '../driver-options.ts'
import { MobileInterface } from '../mobile-interface.ts'
import { RebootBudget } from '../reboot-budget.ts'
import { Mmcli } from './mmcli.ts'
import { modemManagerOptions } from './options.ts'
import type { BearerReply } from './replies.ts'
import { statusOf } from './status.ts'

// Reference for the times: device-control.md 1.3 and section 3.
const POLL_MS = 1_000
const RECONNECT_HOLD_MS = 5_000
const RESET_MS = 120_000
const GONE_MS = 10_000
/** A carrier may deny once and take the next try; this many looks in a row are meant. */
const DENIALS = 5
/** The longest call: disconnecting, disabling and powering down, each bounded by 60 s and each usually done in three. */
const CALL_MS = 90_000

/** Opens a modem that ModemManager has. Options: `options.ts`. Throws `bad_config`. */
export async function openModemManagerDriver(options: Record<string, unknown>, parts: DriverParts): Promise<DeviceDriver> {
  return new ModemManagerDriver(parseDriverOptions(modemManagerOptions, options), parts)
}

class ModemManagerDriver implements DeviceDriver {
  readonly callTimeoutMs = CALL_MS
  readonly #options: z.output<typeof modemManagerOptions>
  readonly #parts: DriverParts
  readonly #mmcli: Mmcli
  readonly link: MobileInterface
  readonly #reboots: RebootBudget
  /** Only trying tells whether this modem's radio can be switched off. */
  #hasAirplaneMode: boolean | null = null
  #isResetting: boolean = false
  /** A connection by an agent that was killed may not have been set up either. */
  #mustSetUp: boolean = true
  #nameServers: readonly string[] = []

  constructor(options: z.output<typeof modemManagerOptions>, parts: DriverParts) {
    this.#options = options
    this.#parts = parts
    this.#mmcli = new Mmcli(options)
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
    const rungs = (method: Rung['method'], holds: readonly number[]): Rung[] => holds.map((holdMs) => ({ method, holdMs }))
    return [
      ...(this.#hasAirplaneMode === false ? [] : rungs('airplane_mode', holdsMs)),
      // Of a modem whose radio stays on this is all that can be done; while that is not known it is the last try.
      ...rungs('reconnect', this.#hasAirplaneMode === false ? holdsMs : [RECONNECT_HOLD_MS]),
      { method: 'modem_reset', holdMs: 0, onlineMs: RESET_MS, isOnRequest: true },
    ]
  }

  async status(signal: AbortSignal): Promise<DeviceStatus> {
    const status = statusOf(await this.#mmcli.modem(signal))
    const { name } = this.link
    const innerIp = this.link.address()
    if (name === null) return status
    return { ...status, telemetry: { ...status.telemetry, interface: name, ...(innerIp === null || status.isDown ? {} : { innerIp }) } }
  }

  async down({ method }: Rung, signal: AbortSignal): Promise<void> {
    if (method === 'airplane_mode') return this.#radioOff(signal)
    if ((await this.#mmcli.modem(signal)).state === 'connected') await this.#mmcli.act('--simple-disconnect', signal)
    if (method === 'modem_reset') await this.#reset(signal)
  }

  async up(signal: AbortSignal): Promise<void> {
    // A modem that boots is not there: that waits until it is.
    if (this.#isResetting) return
    const { state, power } = await this.#mmcli.modem(signal)
    if (state === 'disabled' && power !== 'on') await this.#mmcli.act('--set-power-state-on', signal)
    if (state === 'disabled' || state === 'disabling') await this.#mmcli.act('--enable', signal)
    if (state === 'registered') await this.#connect(signal)
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
      const { state, registration, bearers } = await this.#mmcli.modem(signal)
      this.#isResetting = false
      if (registration === 'denied') return 'denied'
      if (state === 'disabled' || state === 'registered') await this.up(signal)
      if (state !== 'connected') return 'waiting'
      const bearer = await this.#mmcli.connectedBearer(bearers, signal)
      if (bearer) this.#nameServers = bearer.ipv4.dns
      if (bearer && this.#mustSetUp) await this.#setUp(bearer, signal)
      return bearer && this.link.address() !== null ? 'online' : 'waiting'
    } catch (error) {
      if (signal.aborted || !isPassing(error)) throw error
      return 'waiting'
    }
  }

  async #radioOff(signal: AbortSignal): Promise<void> {
    if (this.#hasAirplaneMode === false) throw new AgentError('unsupported', 'ModemManager cannot switch off the radio of this modem.')
    const { state } = await this.#mmcli.modem(signal)
    if (state === 'connected') await this.#mmcli.act('--simple-disconnect', signal)
    if (state !== 'disabled') await this.#mmcli.act('--disable', signal)
    try {
      await this.#mmcli.act('--set-power-state-low', signal)
      this.#hasAirplaneMode = true
    } catch (error) {
      if (error instanceof AgentError && error.code === 'unsupported') this.#hasAirplaneMode = false
      throw error
    }
  }

  async #reset(signal: AbortSignal): Promise<void> {
    await this.#reboots.spend()
    await this.#mmcli.act('--reset', signal)
    this.#isResetting = true
    const giveUpAt = this.#parts.clock.now() + GONE_MS
    // Until then it would still say what it was before.
    while ((await this.#isThere(signal)) && this.#parts.clock.now() < giveUpAt) await this.#parts.clock.sleep(POLL_MS, signal)
  }

  async #isThere(signal: AbortSignal): Promise<boolean> {
    try {
      await this.#mmcli.modem(signal)
      return true
    } catch (error) {
      if (signal.aborted || !isPassing(error)) throw error
      return false
    }
  }

  async #connect(signal: AbortSignal): Promise<void> {
    const { apn, ipType, allowRoaming } = this.#options
    await this.#mmcli.act(`--simple-connect=apn=${apn},ip-type=${ipType},allow-roaming=${allowRoaming ? 'yes' : 'no'}`, signal)
    this.#mustSetUp = true
    const bearer = await this.#mmcli.connectedBearer((await this.#mmcli.modem(signal)).bearers, signal)
    if (bearer) await this.#setUp(bearer, signal)
  }

  async #setUp({ interface: name, ipv4 }: BearerReply, signal: AbortSignal): Promise<void> {
    const [program, ...args] = this.#options.afterConnect ?? []
    this.#mustSetUp = program !== undefined
    if (program === undefined) return
    await runAfterConnect([program, ...args], this.#parts.name, { interface: name, ...ipv4 }, signal)
    this.#mustSetUp = false
  }
}

const passing: ReadonlySet<AgentErrorCode> = new Set(['device_unreachable', 'busy', 'no_data_session'])
const isPassing = (error: unknown): boolean => error instanceof AgentError && passing.has(error.code)
