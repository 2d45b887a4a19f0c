import { AgentError } from '../../errors.ts'
import { outputUntilEnd, type PhoneShell, withEnd } from '../android/phone-shell.ts'
import { type CommandOutcome, runCommand } from '../run-command.ts'

/** rish starts a virtual machine for each call (0.3 to 0.8 s); su may ask the phone's owner. */
const CALL_MS = 10_000

const shells = ['su', 'rish'] as const
type ShellName = (typeof shells)[number]

/** rish lets only the app speak that is named here. */
const ENV = { RISH_APPLICATION_ID: 'com.termux' }
/** Termux puts its own programs first, and some of Android's not at all. */
const ANDROID_FIRST = 'PATH=/system/bin:$PATH; export PATH'

/** A shell on this phone with more rights than an app: root's by `su`, or adb's own by Shizuku's `rish`. */
export class LocalShell implements PhoneShell {
  readonly #candidates: readonly ShellName[]
  #found: ShellName | null = null
  #last: Promise<unknown> = Promise.resolve()

  /** @param wanted undefined: whichever of the two works */
  constructor(wanted: ShellName | undefined) {
    this.#candidates = wanted === undefined ? shells : [wanted]
  }

  async run(script: string, signal: AbortSignal): Promise<string> {
    const turn = this.#last.then(() => this.#runNow(script, signal))
    this.#last = turn.catch(() => {})
    return turn
  }

  async reboot(signal: AbortSignal): Promise<void> {
    await this.run('svc power reboot 2>&1', signal)
  }

  async #runNow(script: string, signal: AbortSignal): Promise<string> {
    signal.throwIfAborted()
    this.#found ??= await this.#find(signal)
    const outcome = await call(this.#found, `${ANDROID_FIRST}\n${withEnd(script)}`, signal)
    try {
      return outputUntilEnd(outcome.stdout)
    } catch (error) {
      const name = this.#found
      // Shizuku ends with a reboot and root can be taken away: which of them works is asked again.
      this.#found = null
      throw outcome.exitCode === 0 ? error : new AgentError('permission_denied', `${name} refuses: ${outcome.lastLine}`, { cause: error })
    }
  }

  async #find(signal: AbortSignal): Promise<ShellName> {
    const said: string[] = []
    for (const name of this.#candidates) {
      const answer = await this.#ask(name, signal)
      // The rights that count: root, or adb's shell.
      if (/^uid=(0|2000)\(/m.test(answer)) return name
      said.push(`${name}: ${answer}`)
    }
    throw new AgentError(
      'permission_denied',
      `This app may not switch the radio: root the phone, or start Shizuku and put rish into the PATH (docs/agent.md). ${said.join(' ')}`,
    )
  }

  async #ask(name: ShellName, signal: AbortSignal): Promise<string> {
    try {
      const { stdout, lastLine, exitCode } = await call(name, 'id', signal)
      return exitCode === 0 && stdout !== '' ? stdout.trim() : lastLine || `it ended with code ${exitCode}`
    } catch (error) {
      if (signal.aborted || !(error instanceof AgentError)) throw error
      return error.message
    }
  }
}

const call = (name: ShellName, script: string, signal: AbortSignal): Promise<CommandOutcome> =>
  runCommand(name, ['-c', script], { signal, timeoutMs: CALL_MS, env: ENV })
