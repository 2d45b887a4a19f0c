import type { Clock } from '../../clock.ts'
import { AgentError } from '../../errors.ts'
import type { DeviceDriver, DeviceStatus, Rung } from '../driver.ts'
import type { MobileInterface } from '../mobile-interface.ts'
import type { RebootBudget } from '../reboot-budget.ts'
import type { CellInterface } from './cell-interface.ts'
import { armGuard, DISARM } from './guard.ts'
import type { PhoneShell } from './phone-shell.ts'
import { type PhoneState, readPhoneState, STATE_SCRIPT } from './phone-state.ts'

// Reference for the times: device-control.md 1.1.3 and section 7.
const POLL_MS = 1_000
const OFF_MS = 15_000
/** Android is back after 45 s; data was usable after 138 to 145 s. */
const REBOOT_MS = 300_000
const GONE_MS = 30_000
/** The longest call: a reboot that is waited for until the phone is gone. */
const CALL_MS = 45_000

interface PhoneParts {
  readonly clock: Clock
  readonly shell: PhoneShell
  readonly reboots: RebootBudget
  /** The way out: an interface of this host that tethering makes, or the phone's own. */
  readonly way: MobileInterface | CellInterface
  readonly holdsMs: readonly number[]
  /** Run in the phone's shell after a reboot. */
  readonly afterReboot: string
}

/** An Android phone, controlled by a shell that may do what its user may not. */
export class AndroidPhone implements DeviceDriver {
  readonly callTimeoutMs = CALL_MS
  readonly link?: MobileInterface
  readonly #parts: PhoneParts
  readonly #clock: Clock
  /** Only asking tells whether this Android's shell may switch airplane mode. */
  #hasAirplaneMode: boolean | null = null
  #isRebooting: boolean = false
  #nameServers: readonly string[] = []

  constructor(parts: PhoneParts) {
    this.#parts = parts
    this.#clock = parts.clock
    // The phone's own interface is routed by Android.
    if (!('see' in parts.way)) this.link = parts.way
  }

  get hostAddresses(): readonly string[] {
    return this.#parts.way.hostAddresses()
  }

  sourceAddress(): string | null {
    return this.#parts.way.address()
  }

  nameServers(): readonly string[] {
    return this.#nameServers
  }

  async ladder(signal: AbortSignal): Promise<readonly Rung[]> {
    if (this.#hasAirplaneMode === null) await this.#state(signal)
    const { holdsMs } = this.#parts
    const rungs = (method: Rung['method'], holds: readonly number[]): Rung[] => holds.map((holdMs) => ({ method, holdMs }))
    return [
      ...(this.#hasAirplaneMode === true ? rungs('airplane_mode', holdsMs) : rungs('data_toggle', holdsMs)),
      ...(this.#hasAirplaneMode === true ? [{ method: 'data_toggle', holdMs: holdsMs[0] ?? 0, isOnRequest: true } as const] : []),
      { method: 'device_reboot', holdMs: 0, onlineMs: REBOOT_MS, isOnRequest: true },
    ]
  }

  async status(signal: AbortSignal): Promise<DeviceStatus> {
    const { status } = await this.#state(signal)
    const { name } = this.#parts.way
    return name === null ? status : { ...status, telemetry: { ...status.telemetry, interface: name } }
  }

  async down({ method, holdMs }: Rung, signal: AbortSignal): Promise<void> {
    if (method === 'device_reboot') return this.#reboot(signal)
    const [off, on] =
      method === 'airplane_mode'
        ? ['cmd connectivity airplane-mode enable', 'cmd connectivity airplane-mode disable']
        : ['svc data disable', 'svc data enable']
    await this.#parts.shell.run(`${armGuard(on, holdMs)}\n${off} 2>&1`, signal)
    const isOff = ({ isAirplaneMode, isDataOff }: PhoneState): boolean => (method === 'airplane_mode' ? isAirplaneMode === true : isDataOff)
    const giveUpAt = this.#clock.now() + OFF_MS
    while (!isOff(await this.#state(signal))) {
      if (this.#clock.now() >= giveUpAt) throw new AgentError('unsupported', `The phone took "${off}" and did not do it.`)
      await this.#clock.sleep(POLL_MS, signal)
    }
  }

  async up(signal: AbortSignal): Promise<void> {
    // A phone that boots cannot be told anything: that waits until it answers.
    if (this.#isRebooting) return
    const switchOn = 'cmd connectivity airplane-mode disable >/dev/null 2>&1\nsvc data enable >/dev/null 2>&1'
    const { status } = readPhoneState(await this.#parts.shell.run(`${switchOn}\n${DISARM}\n${STATE_SCRIPT}`, signal))
    // The settings follow the command by a moment.
    if (status.isDown && (await this.#state(signal)).status.isDown) {
      throw new AgentError('busy', 'The phone was told to switch its radio on, and says that it is off.')
    }
  }

  async waitOnline(signal: AbortSignal): Promise<void> {
    while (!(await this.#isOnline(signal))) await this.#clock.sleep(POLL_MS, signal)
  }

  async #isOnline(signal: AbortSignal): Promise<boolean> {
    try {
      if (this.#isRebooting) {
        await this.#parts.shell.run(this.#parts.afterReboot, signal)
        this.#isRebooting = false
        await this.up(signal)
      }
      return (await this.#state(signal)).isOnline && this.sourceAddress() !== null
    } catch (error) {
      const isAway = error instanceof AgentError && (error.code === 'device_unreachable' || error.code === 'busy')
      if (!isAway || signal.aborted) throw error
      return false
    }
  }

  async #state(signal: AbortSignal): Promise<PhoneState> {
    const state = readPhoneState(await this.#parts.shell.run(STATE_SCRIPT, signal))
    this.#hasAirplaneMode = state.isAirplaneMode !== null
    if ('see' in this.#parts.way) this.#parts.way.see(state.addresses)
    if (state.nameServers.length > 0) this.#nameServers = state.nameServers
    return state
  }

  async #reboot(signal: AbortSignal): Promise<void> {
    await this.#parts.reboots.spend()
    await this.#parts.shell.reboot(signal)
    this.#isRebooting = true
    const giveUpAt = this.#clock.now() + GONE_MS
    // Until it is gone it would still say what it was before.
    while ((await this.#isThere(signal)) && this.#clock.now() < giveUpAt) await this.#clock.sleep(POLL_MS, signal)
  }

  async #isThere(signal: AbortSignal): Promise<boolean> {
    try {
      await this.#parts.shell.run(':', signal)
      return true
    } catch (error) {
      if (signal.aborted || !(error instanceof AgentError) || error.code !== 'device_unreachable') throw error
      return false
    }
  }
}
