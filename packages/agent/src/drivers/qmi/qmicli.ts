import { runCommand } from '../run-command.ts'
import { failureOf } from './failure.ts'

const QUESTION_MS = 10_000
/** Starting a network waits for the carrier. */
const ACTION_MS = 60_000

/** A modem's control port by Debian's `qmicli`, shared with others by its proxy; one call at a time, as each makes a client of the modem's few. */
export class Qmicli {
  readonly #program: string
  readonly #device: string
  #last: Promise<unknown> = Promise.resolve()

  constructor(options: { readonly qmicli: string; readonly device: string }) {
    this.#program = options.qmicli
    this.#device = options.device
  }

  /** What it printed. Throws the reason why a rotation fails. */
  async ask(action: string, signal: AbortSignal): Promise<string> {
    return this.#call([action], QUESTION_MS, signal)
  }

  /** As `ask()`, for what takes longer. */
  async act(args: readonly string[], signal: AbortSignal): Promise<string> {
    return this.#call(args, ACTION_MS, signal)
  }

  async #call(args: readonly string[], timeoutMs: number, signal: AbortSignal): Promise<string> {
    const turn = this.#last.then(async () => {
      const { exitCode, stdout, stderr } = await runCommand(this.#program, ['-d', this.#device, '-p', ...args], { signal, timeoutMs })
      if (exitCode === 0) return stdout
      throw failureOf(args[0]?.replace(/=.*/, '') ?? '', this.#device, stderr)
    })
    this.#last = turn.catch(() => {})
    return turn
  }
}
