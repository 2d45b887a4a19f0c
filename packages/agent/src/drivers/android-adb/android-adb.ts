import type { z } from 'zod'
import { AgentError } from '../../errors.ts'
import type { DriverParts } from '../create-driver.ts'
import type { DeviceDriver, DeviceStatus, Rung } from '../driver.ts'
import { parseDriverOptions } from '../driver-options.ts'
import { MobileInterface } from '../mobile-interface.ts'
import { RebootBudget } from '../reboot-budget.ts'
import { Adb } from './adb.ts'
import { androidAdbOptions } from './options.ts'
import { type PhoneState, readPhoneState, STATE_SCRIPT } from './phone-state.ts'

// Reference for the times: device-control.md 1.1.3 and section 7.
const POLL_MS = 1_000
const OFF_MS = 15_000
/** Android is back after 45 s; data was usable after 138 to 145 s. */
const REBOOT_MS = 300_000
const GONE_MS = 30_000
/** The longest call: a reboot that is waited for until the phone is gone. */
const CALL_MS = 45_000
/** So long after the hold the phone switches itself on again, whatever has become of adb and of the agent. */
const GUARD_MARGIN_S = 60

/** Where adb's shell may write on every Android, if it does not say so itself. */
const FIND_FOLDER = 't=$TMPDIR; [ -d "$t" ] || t=/data/local/tmp'
const GUARD = 'mobilepool-guard'
/** After a reboot the number may be another program's. */
const DISARM = `${FIND_FOLDER}; p=$(cat "$t/${GUARD}" 2>/dev/null); grep -q ${GUARD} "/proc/$p/cmdline" 2>/dev/null && kill "$p"; rm -f "$t/${GUARD}"`

/** Opens a phone by adb. Options: `options.ts`. Throws `bad_config`. */
export async function openAndroidAdbDriver(options: Record<string, unknown>, parts: DriverParts): Promise<DeviceDriver> {
  return new AndroidAdbDriver(parseDriverOptions(androidAdbOptions, options), parts)
}

/** A phone on this host: controlled by adb's shell, which may do what its user may not; its traffic comes by tethering. */
class AndroidAdbDriver implements DeviceDriver {
  readonly callTimeoutMs = CALL_MS
  readonly link: MobileInterface
  readonly #options: z.output<typeof androidAdbOptions>
  readonly #clock: DriverParts['clock']
  readonly #adb: Adb
  readonly #reboots: RebootBudget
  /** Only asking tells whether this Android's shell may switch airplane mode. */
  #hasAirplaneMode: boolean | null = null
  #isRebooting: boolean = false
  #nameServers: readonly string[] = []

  constructor(options: z.output<typeof androidAdbOptions>, parts: DriverParts) {
    this.#options = options
    this.#clock = parts.clock
    this.#adb = new Adb(options)
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

  async ladder(signal: AbortSignal): Promise<readonly Rung[]> {
    if (this.#hasAirplaneMode === null) await this.#state(signal)
    const { holdsMs } = this.#options
    const rungs = (method: Rung['method'], holds: readonly number[]): Rung[] => holds.map((holdMs) => ({ method, holdMs }))
    return [
      ...(this.#hasAirplaneMode === true ? rungs('airplane_mode', holdsMs) : rungs('data_toggle', holdsMs)),
      ...(this.#hasAirplaneMode === true ? [{ method: 'data_toggle', holdMs: holdsMs[0] ?? 0, isOnRequest: true } as const] : []),
      { method: 'device_reboot', holdMs: 0, onlineMs: REBOOT_MS, isOnRequest: true },
    ]
  }

  async status(signal: AbortSignal): Promise<DeviceStatus> {
    const { status } = await this.#state(signal)
    const { name } = this.link
    return name === null ? status : { ...status, telemetry: { ...status.telemetry, interface: name } }
  }

  async down({ method, holdMs }: Rung, signal: AbortSignal): Promise<void> {
    if (method === 'device_reboot') return this.#reboot(signal)
    const [off, on] =
      method === 'airplane_mode'
        ? ['cmd connectivity airplane-mode enable', 'cmd connectivity airplane-mode disable']
        : ['svc data disable', 'svc data enable']
    const guardS = Math.ceil(holdMs / 1_000) + GUARD_MARGIN_S
    // The guard lives on the phone: nothing that happens to the cable, to adb or to this host can leave the phone switched off.
    const guard = `nohup sh -c ': ${GUARD}; sleep ${guardS}; ${on}' </dev/null >/dev/null 2>&1 & echo $! > "$t/${GUARD}"`
    await this.#adb.shell(`${DISARM}\n${guard}\n${off} 2>&1`, signal)
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
    const { status } = readPhoneState(await this.#adb.shell(`${switchOn}\n${DISARM}\n${STATE_SCRIPT}`, signal))
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
        await this.#adb.shell(this.#options.tethering === undefined ? ':' : `svc usb setFunctions ${this.#options.tethering}`, signal)
        this.#isRebooting = false
        await this.up(signal)
      }
      return (await this.#state(signal)).isOnline && this.link.address() !== null
    } catch (error) {
      const isAway = error instanceof AgentError && (error.code === 'device_unreachable' || error.code === 'busy')
      if (!isAway || signal.aborted) throw error
      return false
    }
  }

  async #state(signal: AbortSignal): Promise<PhoneState> {
    const state = readPhoneState(await this.#adb.shell(STATE_SCRIPT, signal))
    this.#hasAirplaneMode = state.isAirplaneMode !== null
    if (state.nameServers.length > 0) this.#nameServers = state.nameServers
    return state
  }

  async #reboot(signal: AbortSignal): Promise<void> {
    await this.#reboots.spend()
    await this.#adb.reboot(signal)
    this.#isRebooting = true
    const giveUpAt = this.#clock.now() + GONE_MS
    // Until it is gone it would still say what it was before.
    while ((await this.#isThere(signal)) && this.#clock.now() < giveUpAt) await this.#clock.sleep(POLL_MS, signal)
  }

  async #isThere(signal: AbortSignal): Promise<boolean> {
    try {
      await this.#adb.shell(':', signal)
      return true
    } catch (error) {
      if (signal.aborted || !(error instanceof AgentError) || error.code !== 'device_unreachable') throw error
      return false
    }
  }
}
