import { type RotationFailure, toCamel } from '@mobilepool/sdk/contract'
import { z } from 'zod'
import { AgentError } from '../../errors.ts'
import type { DriverParts } from '../create-driver.ts'
import type { DeviceDriver, DeviceStatus, Rung } from '../driver.ts'
import { parseDriverOptions } from '../driver-options.ts'
import { MobileInterface } from '../mobile-interface.ts'
import { RebootBudget } from '../reboot-budget.ts'
import { type CommandOutcome, runCommand } from '../run-command.ts'
import { execOptions, execStatus, failureLine, reasons, type SiteCommand } from './options.ts'

/** Between two looks whether it is online. */
const POLL_MS = 1_000
/** From a reboot to online; sticks need up to three minutes. */
const REBOOT_MS = 240_000
/** Time to notice an ended command, beside its own. */
const MARGIN_MS = 2_000

/** Opens a device that the site's own commands control. Options: `options.ts`. Throws `bad_config`. */
export async function openExecDriver(options: Record<string, unknown>, parts: DriverParts): Promise<DeviceDriver> {
  return new ExecDriver(parseDriverOptions(execOptions, options), parts)
}

class ExecDriver implements DeviceDriver {
  readonly callTimeoutMs: number
  readonly #options: z.output<typeof execOptions>
  readonly #parts: DriverParts
  readonly link: MobileInterface
  readonly #reboots: RebootBudget
  #isRebooting: boolean = false

  constructor(options: z.output<typeof execOptions>, parts: DriverParts) {
    this.#options = options
    this.#parts = parts
    this.link = new MobileInterface(options)
    this.#reboots = new RebootBudget(parts)
    this.callTimeoutMs = options.timeoutMs + MARGIN_MS
  }

  get hostAddresses(): readonly string[] {
    return this.link.hostAddresses()
  }

  async ladder(): Promise<readonly Rung[]> {
    const { method, holdsMs, reboot } = this.#options
    const rungs: Rung[] = holdsMs.map((holdMs) => ({ method, holdMs }))
    if (reboot !== undefined) rungs.push({ method: 'device_reboot', holdMs: 0, onlineMs: REBOOT_MS, isOnRequest: true })
    return rungs
  }

  async status(signal: AbortSignal): Promise<DeviceStatus> {
    if (this.#options.status === undefined) return { sim: 'unknown', isDown: false, telemetry: {} }
    const { stdout } = await this.#run('status', this.#options.status, signal)
    const { is_down: isDown = false, ...telemetry } = statusOf(stdout)
    return { sim: telemetry.sim ?? 'unknown', isDown, telemetry: toCamel(telemetry) }
  }

  async down(rung: Rung, signal: AbortSignal): Promise<void> {
    const env = { MP_METHOD: rung.method, MP_HOLD_MS: String(rung.holdMs) }
    if (rung.method !== 'device_reboot') return void (await this.#run('down', this.#options.down, signal, env))
    if (this.#options.reboot === undefined) throw new AgentError('unsupported', 'There is no command reboot.')
    await this.#reboots.spend()
    this.#isRebooting = true
    await this.#run('reboot', this.#options.reboot, signal, env)
  }

  async up(signal: AbortSignal): Promise<void> {
    // A device that boots cannot be switched on yet: that waits until it answers.
    if (!this.#isRebooting) await this.#run('up', this.#options.up, signal)
  }

  async waitOnline(signal: AbortSignal): Promise<void> {
    while (!(await this.#isOnline(signal))) await this.#parts.clock.sleep(POLL_MS, signal)
  }

  sourceAddress(): string | null {
    return this.link.address()
  }

  async #isOnline(signal: AbortSignal): Promise<boolean> {
    try {
      if (this.#isRebooting) {
        await this.#run('up', this.#options.up, signal)
        this.#isRebooting = false
      }
      return this.link.address() !== null && !(await this.status(signal)).isDown
    } catch (error) {
      if (error instanceof AgentError && error.code === 'device_unreachable' && !signal.aborted) return false
      throw error
    }
  }

  async #run(name: string, command: SiteCommand, signal: AbortSignal, env: Record<string, string> = {}): Promise<CommandOutcome> {
    const [file, ...args] = typeof command === 'string' ? ['/bin/sh', '-c', command] : command
    const outcome = await runCommand(file, args, {
      signal,
      timeoutMs: this.#options.timeoutMs,
      env: { MP_DEVICE: this.#parts.name, MP_INTERFACE: this.link.name ?? '', MP_ADDRESS: this.link.address() ?? '', ...env },
    })
    if (outcome.exitCode === 0) return outcome
    throw failureOf(name, outcome)
  }
}

function failureOf(name: string, { exitCode, lastLine }: CommandOutcome): AgentError {
  const [, reason = '', text = ''] = failureLine.exec(lastLine) ?? []
  if (reasons.has(reason)) return new AgentError(reason as RotationFailure, text || `The command ${name} says ${reason}.`)
  const how = exitCode === null ? 'was killed' : `ended with code ${exitCode}`
  return new AgentError('device_unreachable', `The command ${name} ${how}${lastLine === '' ? '.' : `: ${lastLine}`}`)
}

function statusOf(stdout: string): z.output<typeof execStatus> {
  try {
    return execStatus.parse(JSON.parse(stdout))
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : 'it is no JSON'
    throw new AgentError('device_unreachable', `The command status prints what cannot be used: ${why}`, { cause: error })
  }
}
