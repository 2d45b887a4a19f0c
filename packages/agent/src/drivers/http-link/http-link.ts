import { AgentError } from '../../errors.ts'
import type { DriverParts } from '../create-driver.ts'
import type { DeviceAnswer } from '../device-http.ts'
import type { DeviceDriver, DeviceStatus, Rung } from '../driver.ts'
import { parseDriverOptions } from '../driver-options.ts'
import { MobileInterface } from '../mobile-interface.ts'
import { judge } from './answer.ts'
import { callLink } from './call.ts'
import { type HttpLinkOptions, httpLinkOptions, secretsOf } from './options.ts'

/** A wait that a call sits out; a longer one ends it as `too_soon`. */
const LONGEST_WAIT_MS = 60_000
/** Assumed where a provider says "not now" and no more. */
const USUAL_WAIT_MS = 30_000
const POLL_MS = 1_000
const MARGIN_MS = 2_000
const QUOTED = 200

/** Opens a device that is rotated by a provider's link. Options: `options.ts`. Throws `bad_config`. */
export async function openHttpLinkDriver(options: Record<string, unknown>, parts: DriverParts): Promise<DeviceDriver> {
  return new HttpLinkDriver(parseDriverOptions(httpLinkOptions, options), parts)
}

class HttpLinkDriver implements DeviceDriver {
  readonly callTimeoutMs: number
  readonly #options: HttpLinkOptions
  readonly #clock: DriverParts['clock']
  readonly link: MobileInterface
  readonly #host: string
  readonly #secrets: readonly string[]
  /** In the clock's time: not to be called before. */
  #notBefore = 0

  constructor(options: HttpLinkOptions, parts: DriverParts) {
    this.#options = options
    this.#clock = parts.clock
    this.link = new MobileInterface(options)
    this.#host = new URL(options.url).host
    this.#secrets = secretsOf(options)
    this.callTimeoutMs = LONGEST_WAIT_MS + options.timeoutMs + MARGIN_MS
  }

  get hostAddresses(): readonly string[] {
    return this.link.hostAddresses()
  }

  sourceAddress(): string | null {
    return this.link.address()
  }

  async ladder(): Promise<readonly Rung[]> {
    return this.#options.holdsMs.map((holdMs) => ({ method: 'api_call', holdMs }))
  }

  /** The link says nothing of the device. */
  async status(): Promise<DeviceStatus> {
    return { sim: 'unknown', isDown: false, telemetry: {} }
  }

  async down(_rung: Rung, signal: AbortSignal): Promise<void> {
    await this.#waitForTurn(signal)
    this.#notBefore = this.#clock.now() + this.#options.minIntervalMs
    const answer = await this.#call(signal)
    if (!answer) return
    const verdict = judge(answer, this.#options.successPattern, this.#clock.now())
    if (verdict.kind === 'accepted') return
    if (verdict.kind === 'wait') this.#notBefore = this.#clock.now() + (verdict.waitMs ?? USUAL_WAIT_MS)
    throw new AgentError(verdict.reason, `The rotation link at ${this.#host} answered ${answer.status}${this.#quote(answer.text)}`)
  }

  /** The provider switches the device on again. */
  async up(): Promise<void> {}

  async waitOnline(signal: AbortSignal): Promise<void> {
    while (this.link.address() === null) await this.#clock.sleep(POLL_MS, signal)
  }

  async #waitForTurn(signal: AbortSignal): Promise<void> {
    const waitMs = this.#notBefore - this.#clock.now()
    if (waitMs > LONGEST_WAIT_MS)
      throw new AgentError('too_soon', `The rotation link at ${this.#host} may be called again in ${Math.ceil(waitMs / 1_000)} s.`)
    if (waitMs > 0) await this.#clock.sleep(waitMs, signal)
  }

  /** Null when no answer came in time: the provider may be at work, the exit IP will tell. */
  async #call(signal: AbortSignal): Promise<DeviceAnswer | null> {
    try {
      return await callLink(this.#options, signal)
    } catch (error) {
      if (error instanceof AgentError && error.cause instanceof DOMException && error.cause.name === 'TimeoutError') return null
      throw error
    }
  }

  #quote(text: string): string {
    const clean = this.#secrets.reduce((left, secret) => left.replaceAll(secret, '***'), text)
    const line = clean.replace(/\s+/g, ' ').trim().slice(0, QUOTED)
    return line === '' ? '.' : `: ${line}`
  }
}
