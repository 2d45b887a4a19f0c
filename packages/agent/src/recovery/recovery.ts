import type { RotationMethod } from '@mobilepool/sdk/contract'
import type { Logger } from 'pino'
import type { DeviceDriver, Rung } from '../drivers/driver.ts'
import { AgentError } from '../errors.ts'
import { bringUp, callDevice, comeOnline } from '../rotation/ports.ts'
import { type LookPorts, lookAt } from './look.ts'
import { afterCure, cureName, curesOf, type Finding, nextStep, type Trouble } from './policy.ts'

/** How often the device is looked at; while the hub hears it, that costs nothing. */
const LOOK_EVERY_MS = 15_000
/** Nothing is done so soon after the start, or an update of the agent would take down every fleet at once (reference: device-control.md 1.0 f). */
const GRACE_MS = 180_000

/** What brings a device back. */
export interface RecoveryPorts extends LookPorts {
  readonly log: Logger
  readonly driver: Pick<DeviceDriver, 'callTimeoutMs' | 'ladder' | 'status' | 'down' | 'up' | 'waitOnline'>
  /** False: a radio that was left off is switched on, and nothing else is done. */
  readonly mayCure: boolean
  /** Whether a rotation runs, or something else that has the device for itself. */
  isBusy(): boolean
  /** Has the device for itself meanwhile: no rotation begins. Throws `busy`. */
  alone<T>(run: () => Promise<T>): Promise<T>
  /** Destroys every connection through the device. */
  cut(): void
  /** Lets the hub hear the device now. */
  beatNow(): void
}

/** What brought a device back: a cure, being switched on, or nothing of ours. */
export type RecoveredBy = RotationMethod | 'switched_on' | 'itself'

/** A trouble that is over. */
export interface Recovered {
  readonly at: number
  readonly by: RecoveredBy
  /** From the first look that found the trouble. */
  readonly tookMs: number
}

/** Brings the device back when it has lost its connection by itself: what a person would do at three in the morning, and no more than that. */
export class Recovery {
  readonly #ports: RecoveryPorts
  #trouble: Trouble | null = null
  #finding: Finding = 'online'
  #lastDone: RecoveredBy = 'itself'
  /** The last that was known of it: a device that does not answer does not say how it is rebooted either. */
  #cures: readonly Rung[] = []
  #last: Recovered | null = null
  readonly #counts = new Map<RecoveredBy, number>()

  constructor(ports: RecoveryPorts) {
    this.#ports = ports
  }

  /** Since when the device is in trouble, and which; null: it is not. */
  get trouble(): { readonly finding: Finding; readonly since: number; readonly tried: readonly string[] } | null {
    return this.#trouble && { finding: this.#finding, since: this.#trouble.since, tried: this.#trouble.tried }
  }

  /** The last trouble that is over; null: there was none since the start. */
  get last(): Recovered | null {
    return this.#last
  }

  /** Troubles that are over, by what ended them. */
  get counts(): ReadonlyMap<RecoveredBy, number> {
    return this.#counts
  }

  /** Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#ports
    const startedAt = clock.now()
    while (!signal.aborted) {
      await clock.sleep(LOOK_EVERY_MS, signal).catch(() => {})
      if (signal.aborted || this.#ports.isBusy()) continue
      try {
        await this.#look(clock.now() - startedAt < GRACE_MS, signal)
      } catch (error) {
        if (signal.aborted) return
        log.warn({ reason: (error as Error).message }, 'could not look after the device')
      }
    }
  }

  async #look(isGrace: boolean, signal: AbortSignal): Promise<void> {
    const { clock, driver } = this.#ports
    const finding = await lookAt(this.#ports, signal)
    if (this.#ports.isBusy()) return
    this.#finding = finding
    if (finding === 'online') return this.#over()
    this.#tellOnce(finding)
    const ladder = this.#ports.mayCure && (await callDevice(this.#ports, (inner) => driver.ladder(inner), signal).catch(() => null))
    if (ladder) this.#cures = curesOf(ladder)
    const { trouble, step } = nextStep(this.#trouble, finding, this.#cures, clock.now())
    // A radio that was left off is nobody's intention; whatever else there is may wait until the grace is over.
    if (isGrace && step.do === 'cure') return
    this.#trouble = trouble
    if (step.do === 'switch_on') await this.#switchOn(signal)
    if (step.do === 'cure') await this.#try(step.cure, signal)
  }

  #tellOnce(finding: Finding): void {
    if (this.#trouble) return
    this.#lastDone = 'itself'
    this.#ports.log.warn({ found: finding }, troubles[finding])
  }

  #over(): void {
    if (!this.#trouble) return
    const { clock, log } = this.#ports
    const by = this.#lastDone
    this.#last = { at: clock.now(), by, tookMs: clock.now() - this.#trouble.since }
    this.#counts.set(by, (this.#counts.get(by) ?? 0) + 1)
    log.info({ by, seconds: Math.round(this.#last.tookMs / 1_000) }, 'the device is back')
    this.#trouble = null
    this.#ports.beatNow()
  }

  async #switchOn(signal: AbortSignal): Promise<void> {
    const { driver, log } = this.#ports
    log.warn('the device is switched off though nothing rotates it: switching it on')
    this.#lastDone = 'switched_on'
    await this.#ports.alone(() => callDevice(this.#ports, (inner) => driver.up(inner), signal))
  }

  async #try(cure: Rung, signal: AbortSignal): Promise<void> {
    const { log } = this.#ports
    log.warn({ cure: cureName(cure) }, 'trying to bring the device back')
    try {
      await this.#ports.alone(() => this.#apply(cure, signal))
      this.#lastDone = cure.method
    } catch (error) {
      signal.throwIfAborted()
      const reason = error instanceof AgentError ? error.message : String(error)
      log.warn({ cure: cureName(cure), reason }, 'that did not bring the device back')
    }
    if (this.#trouble) this.#trouble = afterCure(this.#trouble, this.#ports.clock.now())
    this.#ports.beatNow()
  }

  /** Down, hold, up, online. Whatever happens in between, it is up again afterwards. */
  async #apply(cure: Rung, signal: AbortSignal): Promise<void> {
    const { clock, driver, cut } = this.#ports
    cut()
    try {
      await callDevice(this.#ports, (inner) => driver.down(cure, inner), signal)
      await clock.sleep(cure.holdMs, signal)
    } finally {
      await bringUp(this.#ports)
    }
    await comeOnline(this.#ports, signal, cure.onlineMs)
  }
}

const troubles: Readonly<Record<Finding, string>> = {
  online: 'the device is online',
  off: 'the radio of the device is off',
  offline: 'the device has lost its connection',
  silent: 'the device says that it is online, but neither the hub nor a name server answers through it',
  unreachable: 'the device does not answer',
  helpless: 'the device needs a person: its SIM, a password or a permission',
}
