import { AgentError } from '../../errors.ts'
import type { DriverParts } from '../create-driver.ts'
import { DeviceHttp } from '../device-http.ts'
import type { DeviceDriver, DeviceStatus, Rung } from '../driver.ts'
import { parseDriverOptions } from '../driver-options.ts'
import { MobileInterface } from '../mobile-interface.ts'
import { RebootBudget } from '../reboot-budget.ts'
import { NetworkMode } from './network-mode.ts'
import { type HilinkOptions, hilinkOptions } from './options.ts'
import { HilinkSession } from './session.ts'
import { connection, statusOf } from './status.ts'
import type { Fields } from './xml.ts'

// Reference for the times: device-control.md 1.4 and section 7.
const POLL_MS = 1_000
const DISCONNECT_MS = 15_000
/** From the command to the end of its web page. */
const SHUTDOWN_MS = 30_000
/** From the command to a data session. */
const REBOOT_MS = 240_000
const NETWORK_RESET_HOLD_MS = 15_000
/** The longest call: a reboot that is waited for until the stick is gone. */
const CALL_MS = 40_000

const DATA_PATH = '/api/dialup/mobile-dataswitch'
const STATUS_PATH = '/api/monitoring/status'

/** Opens a Huawei stick in HiLink mode. Options: `options.ts`. Throws `bad_config`. */
export async function openHilinkDriver(options: Record<string, unknown>, parts: DriverParts): Promise<DeviceDriver> {
  return new HilinkDriver(parseDriverOptions(hilinkOptions, options), parts)
}

class HilinkDriver implements DeviceDriver {
  readonly callTimeoutMs = CALL_MS
  readonly #options: HilinkOptions
  readonly #clock: DriverParts['clock']
  readonly #link: MobileInterface
  readonly #session: HilinkSession
  readonly #mode: NetworkMode
  readonly #reboots: RebootBudget
  #isRebooting: boolean = false

  constructor(options: HilinkOptions, parts: DriverParts) {
    this.#options = options
    this.#clock = parts.clock
    this.#link = new MobileInterface(options)
    const http = new DeviceHttp({
      origin: new URL(options.url).origin,
      timeoutMs: options.timeoutMs,
      localAddress: () => this.#link.address(),
    })
    this.#session = new HilinkSession(http, parts.clock, options)
    this.#mode = new NetworkMode(this.#session, parts.stateDir)
    this.#reboots = new RebootBudget(parts)
  }

  get hostAddresses(): readonly string[] {
    return this.#link.hostAddresses()
  }

  sourceAddress(): string | null {
    return this.#link.address()
  }

  async ladder(): Promise<readonly Rung[]> {
    return [
      ...this.#options.holdsMs.map((holdMs): Rung => ({ method: 'data_toggle', holdMs })),
      { method: 'network_reset', holdMs: NETWORK_RESET_HOLD_MS, isOnRequest: true },
      { method: 'device_reboot', holdMs: 0, onlineMs: REBOOT_MS, isOnRequest: true },
    ]
  }

  async status(signal: AbortSignal): Promise<DeviceStatus> {
    return statusOf({
      monitoring: await this.#session.get(STATUS_PATH, signal),
      network: await this.#tryToGet('/api/net/current-plmn', signal),
      pin: await this.#tryToGet('/api/pin/status', signal),
      data: await this.#tryToGet(DATA_PATH, signal),
    })
  }

  async down({ method }: Rung, signal: AbortSignal): Promise<void> {
    if (method === 'device_reboot') return this.#reboot(signal)
    await this.#switchData('0', signal)
    await this.#until(DISCONNECT_MS, async () => (await this.#connection(signal)) === connection.disconnected, signal)
    if (method === 'network_reset') await this.#mode.leave(signal)
  }

  async up(signal: AbortSignal): Promise<void> {
    // A stick that boots cannot be asked anything: that waits until it answers.
    if (this.#isRebooting) return
    if (await this.#mode.isAway()) {
      await this.#switchData('0', signal)
      await this.#mode.restore(signal)
    }
    await this.#switchData('1', signal)
  }

  async waitOnline(signal: AbortSignal): Promise<void> {
    for (;;) {
      const isOnline = await this.#isOnline(signal).catch((error: unknown) => {
        const isAway = error instanceof AgentError && (error.code === 'device_unreachable' || error.code === 'busy')
        if (!isAway || signal.aborted) throw error
        return false
      })
      if (isOnline) return
      await this.#clock.sleep(POLL_MS, signal)
    }
  }

  async #isOnline(signal: AbortSignal): Promise<boolean> {
    const state = await this.#connection(signal)
    if (this.#isRebooting) {
      this.#isRebooting = false
      await this.up(signal)
    }
    return state === connection.connected && this.#link.address() !== null
  }

  async #reboot(signal: AbortSignal): Promise<void> {
    await this.#reboots.spend()
    // The stick may be gone before it has answered.
    await this.#session.post('/api/device/control', { Control: '1' }, signal).catch(ignoreUnreachable)
    this.#isRebooting = true
    await this.#until(SHUTDOWN_MS, async () => (await this.#connection(signal).catch(ignoreUnreachable)) === undefined, signal)
  }

  async #connection(signal: AbortSignal): Promise<string> {
    return (await this.#session.get(STATUS_PATH, signal)).ConnectionStatus ?? ''
  }

  #switchData(dataswitch: '0' | '1', signal: AbortSignal): Promise<void> {
    return this.#session.post(DATA_PATH, { dataswitch }, signal)
  }

  /** Throws `unsupported` when the stick does not do it: it then dials by itself, or ignores the order. */
  async #until(timeoutMs: number, isDone: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
    const until = this.#clock.now() + timeoutMs
    while (!(await isDone())) {
      if (this.#clock.now() >= until)
        throw new AgentError('unsupported', `The stick is still connected ${timeoutMs / 1_000} s after it was told to disconnect.`)
      await this.#clock.sleep(POLL_MS, signal)
    }
  }

  /** For what some firmware does not have, or shows to nobody without a login. */
  async #tryToGet(path: string, signal: AbortSignal): Promise<Fields> {
    try {
      return await this.#session.get(path, signal)
    } catch (error) {
      if (error instanceof AgentError && (error.code === 'unsupported' || error.code === 'auth_failed')) return {}
      throw error
    }
  }
}

function ignoreUnreachable(error: unknown): undefined {
  if (!(error instanceof AgentError) || error.code !== 'device_unreachable') throw error
}
