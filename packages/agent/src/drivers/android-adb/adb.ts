import { AgentError } from '../../errors.ts'
import { outputUntilEnd, type PhoneShell, withEnd } from '../android/phone-shell.ts'
import { type CommandOutcome, runCommand } from '../run-command.ts'

/** A call by adb takes some 20 ms; the first one starts adb's server. Reference: device-control.md section 7. */
const CALL_MS = 10_000
/** `adb connect` waits 10 s for somebody who allows this host on the phone. */
const CONNECT_MS = 13_000

/** One phone as adb reaches it, one call at a time: a phone that hangs holds up its own calls only. */
export class Adb implements PhoneShell {
  readonly #program: string
  readonly #serial: string | undefined
  readonly #env: Readonly<Record<string, string>>
  #last: Promise<unknown> = Promise.resolve()

  constructor(options: { readonly adb: string; readonly adbPort?: number | undefined; readonly serial?: string | undefined }) {
    this.#program = options.adb
    this.#serial = options.serial
    this.#env = options.adbPort === undefined ? {} : { ANDROID_ADB_SERVER_PORT: String(options.adbPort) }
  }

  async run(script: string, signal: AbortSignal): Promise<string> {
    const { stdout } = await this.#call(['shell', withEnd(script)], signal)
    return outputUntilEnd(stdout)
  }

  async reboot(signal: AbortSignal): Promise<void> {
    await this.#call(['reboot'], signal)
  }

  async #call(args: readonly string[], signal: AbortSignal): Promise<CommandOutcome> {
    const turn = this.#last.then(() => this.#tryTwice(args, signal))
    this.#last = turn.catch(() => {})
    return turn
  }

  async #tryTwice(args: readonly string[], signal: AbortSignal): Promise<CommandOutcome> {
    signal.throwIfAborted()
    const first = await this.#adb(args, signal)
    if (first.exitCode === 0 || !isAway(first) || !this.#serial?.includes(':')) return succeeded(first)
    // A phone in the network is forgotten by adb when it has been away.
    await this.#adb(['disconnect', this.#serial], signal, [])
    const { stdout, stderr } = await this.#adb(['connect', this.#serial], signal, [])
    if (/failed to authenticate/.test(stdout + stderr)) throw unauthorized()
    return succeeded(await this.#adb(args, signal))
  }

  #adb(
    args: readonly string[],
    signal: AbortSignal,
    device = this.#serial === undefined ? [] : ['-s', this.#serial],
  ): Promise<CommandOutcome> {
    return runCommand(this.#program, [...device, ...args], {
      signal,
      timeoutMs: args[0] === 'connect' ? CONNECT_MS : CALL_MS,
      env: this.#env,
    })
  }
}

/** adb's own errors begin so; what the phone's shell says does not. */
const ownError = /^(?:adb: )?error: |^adb: /m
const isAway = ({ stderr }: CommandOutcome): boolean =>
  /^(?:adb: )?(?:error: )?(?:device '.*' not found|device offline|no devices)/m.test(stderr)

function succeeded(outcome: CommandOutcome): CommandOutcome {
  const { exitCode, stderr } = outcome
  if (exitCode === 0 || !ownError.test(stderr)) return outcome
  const line = stderr.split('\n').find((text) => ownError.test(text)) ?? ''
  if (/unauthorized|still authorizing/.test(stderr)) throw unauthorized()
  if (/no permissions/.test(stderr)) {
    throw new AgentError(
      'permission_denied',
      `This user may not use the phone's USB port: install android-sdk-platform-tools-common, or run as root. ${line}`,
    )
  }
  if (/more than one device/.test(stderr)) {
    throw new AgentError('device_unreachable', 'There are several phones: say which by driverOptions.serial ("adb devices" lists them).')
  }
  throw new AgentError('device_unreachable', `The phone does not answer: ${line.replace(ownError, '').trim()}.`)
}

const unauthorized = (): AgentError =>
  new AgentError('permission_denied', 'The phone has not allowed this host: unlock it and confirm "Allow USB debugging", always.')
