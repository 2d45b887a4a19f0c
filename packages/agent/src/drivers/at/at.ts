import type { z } from 'zod'
import { AgentError } from '../../errors.ts'
import type { DriverParts } from '../create-driver.ts'
import type { DeviceDriver, DeviceStatus, Rung } from '../driver.ts'
import { parseDriverOptions } from '../driver-options.ts'
import { MobileInterface } from '../mobile-interface.ts'
import { RebootBudget } from '../reboot-budget.ts'
import { isRegistered } from './answers.ts'
import { AtChannel } from './at-channel.ts'
import { Modem } from './modem.ts'
import { atOptions } from './options.ts'

// Reference for the times: device-control.md 1.2 and section 3.
const POLL_MS = 1_000
const DETACH_HOLD_MS = 5_000
const DEREGISTER_HOLD_MS = 45_000
/** A modem that resets is gone 2 to 5 s after its answer ... */
const GONE_MS = 10_000
/** ... and registered again within this. */
const RESET_MS = 120_000
/** A carrier may deny once and take the next try; this many looks in a row are meant. */
const DENIALS = 5
/** The longest call: leaving or joining a network (60 s), behind what is asked meanwhile. */
const CALL_MS = 90_000

/** Opens a modem with an AT port. Options: `options.ts`. Throws `bad_config`. */
export async function openAtDriver(options: Record<string, unknown>, parts: DriverParts): Promise<DeviceDriver> {
  return new AtDriver(parseDriverOptions(atOptions, options), parts)
}

class AtDriver implements DeviceDriver {
  readonly callTimeoutMs = CALL_MS
  readonly #options: z.output<typeof atOptions>
  readonly #clock: DriverParts['clock']
  readonly #channel: AtChannel
  readonly #modem: Modem
  readonly link: MobileInterface
  readonly #reboots: RebootBudget
  #isResetting: boolean = false
  #mustDial: boolean = true

  constructor(options: z.output<typeof atOptions>, parts: DriverParts) {
    this.#options = options
    this.#clock = parts.clock
    this.#channel = new AtChannel(options)
    this.#modem = new Modem(this.#channel, options.contextId)
    this.link = new MobileInterface(options)
    this.#reboots = new RebootBudget(parts)
  }

  get hostAddresses(): readonly string[] {
    return this.link.hostAddresses()
  }

  sourceAddress(): string | null {
    return this.link.address()
  }

  async ladder(): Promise<readonly Rung[]> {
    return [
      ...this.#options.holdsMs.map((holdMs): Rung => ({ method: 'airplane_mode', holdMs })),
      { method: 'reconnect', holdMs: DETACH_HOLD_MS, isOnRequest: true },
      { method: 'network_reset', holdMs: DEREGISTER_HOLD_MS, isOnRequest: true },
      { method: 'modem_reset', holdMs: 0, onlineMs: RESET_MS, isOnRequest: true },
    ]
  }

  async status(signal: AbortSignal): Promise<DeviceStatus> {
    const status = await this.#modem.status(signal)
    const { name } = this.link
    return name === null ? status : { ...status, telemetry: { ...status.telemetry, interface: name } }
  }

  async down({ method }: Rung, signal: AbortSignal): Promise<void> {
    this.#mustDial = true
    if (method === 'modem_reset') return this.#reset(signal)
    if (method === 'reconnect') return this.#modem.detach(signal)
    if (method === 'network_reset') return this.#modem.deregister(signal)
    return this.#modem.radioOff(signal)
  }

  async up(signal: AbortSignal): Promise<void> {
    // A modem that boots cannot be told anything: that waits until it answers.
    if (!this.#isResetting) await this.#modem.switchOn(signal)
  }

  async waitOnline(signal: AbortSignal): Promise<void> {
    let denials = 0
    for (;;) {
      const state = await this.#look(signal)
      if (state === 'online') return
      denials = state === 'denied' ? denials + 1 : 0
      if (denials === DENIALS) throw new AgentError('no_registration', 'The carrier denies the registration.')
      await this.#clock.sleep(POLL_MS, signal)
    }
  }

  close(): Promise<void> {
    return this.#channel.close()
  }

  async #look(signal: AbortSignal): Promise<'online' | 'denied' | 'waiting'> {
    try {
      if (this.#isResetting) {
        await this.#modem.switchOn(signal)
        this.#isResetting = false
      }
      const registration = await this.#modem.registration(signal)
      if (registration === 3) return 'denied'
      if (!isRegistered(registration)) return 'waiting'
      if (this.#mustDial && this.#options.dial !== undefined) await this.#modem.dial(this.#options.dial, signal)
      this.#mustDial = false
      return (await this.#modem.address(signal)) !== null && this.link.address() !== null ? 'online' : 'waiting'
    } catch (error) {
      // Away on its bus, or registered a moment too short to connect: the next look tells.
      const isPassing = error instanceof AgentError && ['device_unreachable', 'busy', 'no_data_session'].includes(error.code)
      if (!isPassing || signal.aborted) throw error
      return 'waiting'
    }
  }

  async #reset(signal: AbortSignal): Promise<void> {
    await this.#reboots.spend()
    await this.#modem.reset(signal)
    this.#isResetting = true
    const giveUpAt = this.#clock.now() + GONE_MS
    // Until then it would still say that it is online. One on a UART may be back before it was missed.
    while ((await this.#modem.answers(signal)) && this.#clock.now() < giveUpAt) await this.#clock.sleep(POLL_MS, signal)
  }
}
