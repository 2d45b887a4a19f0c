import { z } from 'zod'
import { AgentError } from '../../errors.ts'
import { runCommand } from '../run-command.ts'
import { failureOf } from './failure.ts'
import { type BearerReply, bearerReply, type ModemReply, modemList, modemReply } from './replies.ts'

/** mmcli answers in 10 to 30 ms. */
const QUESTION_MS = 10_000
/** Enabling and connecting wait for the network. */
const ACTION_MS = 60_000

/** One modem of ModemManager, wherever it is in its list now: the list changes with every reset. */
export class Mmcli {
  readonly #program: string
  readonly #wanted: string | undefined
  #path: string | null = null

  constructor(options: { readonly mmcli: string; readonly modem?: string | undefined }) {
    this.#program = options.mmcli
    this.#wanted = options.modem
  }

  /** The modem's state. Throws `device_unreachable` when it is not there. */
  async modem(signal: AbortSignal): Promise<ModemReply> {
    if (this.#path !== null) {
      try {
        return await this.#question(['-m', this.#path], modemReply, signal)
      } catch (error) {
        if (signal.aborted || !(error instanceof AgentError) || error.code !== 'device_unreachable') throw error
        this.#path = null
      }
    }
    return this.#find(signal)
  }

  /** The connected one of these bearers, or null. */
  async connectedBearer(bearers: readonly string[], signal: AbortSignal): Promise<BearerReply | null> {
    for (const path of bearers) {
      const bearer = await this.#question(['-b', path], bearerReply, signal)
      if (bearer.isConnected) return bearer
    }
    return null
  }

  /** Does something to the modem: `--enable`, `--simple-connect=...`. */
  async act(action: string, signal: AbortSignal): Promise<void> {
    const path = this.#path ?? (await this.#locate(signal))
    await this.#run(['-m', path, action, `--timeout=${ACTION_MS / 1_000}`], action.replace(/=.*/, ''), signal, ACTION_MS + QUESTION_MS)
  }

  async #locate(signal: AbortSignal): Promise<string> {
    await this.#find(signal)
    return this.#path ?? ''
  }

  async #find(signal: AbortSignal): Promise<ModemReply> {
    const paths = await this.#question(['-L'], modemList, signal)
    const found: { path: string; modem: ModemReply }[] = []
    for (const path of paths) {
      const modem = await this.#question(['-m', path], modemReply, signal)
      if (this.#wanted === undefined || this.#wanted === modem.imei || this.#wanted === modem.device) found.push({ path, modem })
    }
    const [first, second] = found
    if (first && !second) {
      this.#path = first.path
      return first.modem
    }
    throw new AgentError('device_unreachable', this.#notFound(paths.length, found.length))
  }

  #notFound(known: number, matching: number): string {
    if (matching > 1) return `ModemManager has ${matching} modems: say which by driverOptions.modem, the IMEI (mmcli -m N shows it).`
    if (known === 0) return 'ModemManager knows no modem: is it connected and switched on?'
    return `ModemManager has no modem ${this.#wanted}, but ${known} other.`
  }

  async #question<Schema extends z.ZodType>(args: readonly string[], schema: Schema, signal: AbortSignal): Promise<z.output<Schema>> {
    const stdout = await this.#run([...args, '-J'], args.join(' '), signal, QUESTION_MS)
    try {
      return schema.parse(JSON.parse(stdout))
    } catch (error) {
      const why = error instanceof z.ZodError ? z.prettifyError(error) : 'no JSON'
      throw new AgentError('device_unreachable', `mmcli ${args.join(' ')} prints what cannot be read: ${why}`, { cause: error })
    }
  }

  async #run(args: readonly string[], what: string, signal: AbortSignal, timeoutMs: number): Promise<string> {
    const { exitCode, stdout, stderr } = await runCommand(this.#program, args, { signal, timeoutMs })
    if (exitCode === 0) return stdout
    throw failureOf(what, stderr)
  }
}
