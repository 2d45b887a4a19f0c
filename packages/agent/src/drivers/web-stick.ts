import { AgentError } from '../errors.ts'
import type { DriverParts } from './create-driver.ts'
import type { DeviceDriver, DeviceStatus, Rung } from './driver.ts'
import type { MobileInterface } from './mobile-interface.ts'
import { RebootBudget } from './reboot-budget.ts'

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

/** A stick or router with a web page: what its API can do. Every call throws `AgentError`. */
export interface WebStick {
  status(signal: AbortSignal): Promise<DeviceStatus>
  /** Its data session; `between` while it dials or hangs up. */
  session(signal: AbortSignal): Promise<'connected' | 'disconnected' | 'between'>
  switchData(isOn: boolean, signal: AbortSignal): Promise<void>
  /** Resolves when the order was taken. */
  reboot(signal: AbortSignal): Promise<void>
  /** Leaves the network for one of another kind, where the stick can; data is off. */
  readonly networkReset?: {
    leave(signal: AbortSignal): Promise<void>
    isAway(): Promise<boolean>
    restore(signal: AbortSignal): Promise<void>
  }
}

/** Drives a stick by its web page: data off and on, another network and back, reboot. */
export class WebStickDriver implements DeviceDriver {
  readonly callTimeoutMs = CALL_MS
  readonly #stick: WebStick
  /** Traffic of the host goes to the stick itself, which is a router. */
  readonly link: MobileInterface
  readonly #holdsMs: readonly number[]
  readonly #clock: DriverParts['clock']
  readonly #reboots: RebootBudget
  #isRebooting: boolean = false

  constructor(stick: WebStick, options: { readonly link: MobileInterface; readonly holdsMs: readonly number[] }, parts: DriverParts) {
    this.#stick = stick
    this.link = options.link
    this.#holdsMs = options.holdsMs
    this.#clock = parts.clock
    this.#reboots = new RebootBudget(parts)
  }

  get hostAddresses(): readonly string[] {
    return this.link.hostAddresses()
  }

  sourceAddress(): string | null {
    return this.link.address()
  }

  /** The stick asks the carrier's. */
  nameServers(): readonly string[] {
    return this.link.gateway === null ? [] : [this.link.gateway]
  }

  async ladder(): Promise<readonly Rung[]> {
    const rungs = this.#holdsMs.map((holdMs): Rung => ({ method: 'data_toggle', holdMs }))
    if (this.#stick.networkReset) rungs.push({ method: 'network_reset', holdMs: NETWORK_RESET_HOLD_MS, isOnRequest: true })
    return [...rungs, { method: 'device_reboot', holdMs: 0, onlineMs: REBOOT_MS, isOnRequest: true }]
  }

  status(signal: AbortSignal): Promise<DeviceStatus> {
    return this.#stick.status(signal)
  }

  async down({ method }: Rung, signal: AbortSignal): Promise<void> {
    if (method === 'device_reboot') return this.#reboot(signal)
    await this.#stick.switchData(false, signal)
    await this.#until(DISCONNECT_MS, async () => (await this.#stick.session(signal)) === 'disconnected', signal)
    if (method === 'network_reset') await this.#stick.networkReset?.leave(signal)
  }

  async up(signal: AbortSignal): Promise<void> {
    // A stick that boots cannot be asked anything: that waits until it answers.
    if (this.#isRebooting) return
    if (await this.#stick.networkReset?.isAway()) {
      await this.#stick.switchData(false, signal)
      await this.#stick.networkReset?.restore(signal)
    }
    await this.#stick.switchData(true, signal)
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
    const session = await this.#stick.session(signal)
    if (this.#isRebooting) {
      this.#isRebooting = false
      await this.up(signal)
    }
    return session === 'connected' && this.link.address() !== null
  }

  async #reboot(signal: AbortSignal): Promise<void> {
    await this.#reboots.spend()
    // The stick may be gone before it has answered.
    await this.#stick.reboot(signal).catch(ignoreUnreachable)
    this.#isRebooting = true
    await this.#until(SHUTDOWN_MS, async () => (await this.#stick.session(signal).catch(ignoreUnreachable)) === undefined, signal)
  }

  /** Throws `unsupported` when the stick does not do it: it dials by itself, or ignores the order. */
  async #until(timeoutMs: number, isDone: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
    const until = this.#clock.now() + timeoutMs
    while (!(await isDone())) {
      if (this.#clock.now() >= until)
        throw new AgentError('unsupported', `The stick is still connected ${timeoutMs / 1_000} s after it was told to disconnect.`)
      await this.#clock.sleep(POLL_MS, signal)
    }
  }
}

function ignoreUnreachable(error: unknown): undefined {
  if (!(error instanceof AgentError) || error.code !== 'device_unreachable') throw error
}
