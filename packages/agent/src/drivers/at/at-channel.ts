import { AgentError } from '../../errors.ts'
import { type AtPort, type AtPortEvents, openAtPort } from './at-port.ts'
import { type AtReply, isFinal, replyOf } from './at-reply.ts'

// Reference for the times: device-control.md 1.2.1 and section 7.
const DEFAULT_TIMEOUT_MS = 5_000
const SYNC_TIMEOUT_MS = 1_000
const SYNC_TRIES = 3
/** A modem answers in order: what it still owes for a command that was given up comes just before or after the answer to `AT`. */
const QUIET_MS = 200
/** More lines than any reply has: a port that says this much is no AT port. */
const MAX_LINES = 500

interface Exchange {
  readonly command: string
  readonly lines: string[]
  settle(end: AtReply | AgentError): void
}

/**
 * A modem's AT port, opened when it is needed and again after it was away. One command at a time, the others wait; each has its time, and
 * after one that was not answered the line is brought into step again before the next.
 */
export class AtChannel {
  readonly #open: (events: AtPortEvents) => Promise<AtPort>
  readonly #path: string
  #port: AtPort | null = null
  #exchange: Exchange | null = null
  #isInStep: boolean = false
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options: { readonly port: string; readonly baudRate: number }) {
    this.#path = options.port
    this.#open = (events) => openAtPort(options.port, options.baudRate, events)
  }

  /** Sends a command. A refusal is a reply; throws `device_unreachable` when there is none, and what opening the port throws. */
  command(command: string, signal: AbortSignal, timeoutMs: number = DEFAULT_TIMEOUT_MS): Promise<AtReply> {
    const reply = this.#turn.then(async () => {
      signal.throwIfAborted()
      const port = await this.#prepare(signal)
      return this.#ask(port, command, signal, timeoutMs)
    })
    this.#turn = reply.catch(() => {})
    return reply
  }

  /** Closes the port; the next command opens it again. */
  async close(): Promise<void> {
    await this.#port?.close()
  }

  async #prepare(signal: AbortSignal): Promise<AtPort> {
    const port = this.#port ?? (await this.#reopen())
    if (this.#isInStep) return port
    await this.#synchronise(port, signal)
    // Echo off, errors as numbers: best effort, replies are understood without.
    await this.#ask(port, 'ATE0', signal, SYNC_TIMEOUT_MS)
    await this.#ask(port, 'AT+CMEE=1', signal, SYNC_TIMEOUT_MS)
    this.#isInStep = true
    return port
  }

  async #reopen(): Promise<AtPort> {
    let isClosed = false
    const port = await this.#open({
      onLine: (line) => this.#receive(line),
      onClose: () => {
        isClosed = true
        this.#port = null
        this.#isInStep = false
        this.#exchange?.settle(new AgentError('device_unreachable', `The port ${this.#path} went away.`))
      },
    })
    if (isClosed) throw new AgentError('device_unreachable', `The port ${this.#path} went away.`)
    this.#port = port
    return port
  }

  async #synchronise(port: AtPort, signal: AbortSignal): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      try {
        await this.#ask(port, 'AT', signal, SYNC_TIMEOUT_MS)
        break
      } catch (error) {
        if (signal.aborted || this.#port === null || tries === SYNC_TRIES) throw error
      }
    }
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS))
  }

  #ask(port: AtPort, command: string, signal: AbortSignal, timeoutMs: number): Promise<AtReply> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason)
      const end = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', onAbort)
        this.#exchange = null
      }
      const giveUp = (why: unknown): void => {
        this.#isInStep = false
        end()
        reject(why)
      }
      const onAbort = (): void => giveUp(signal.reason)
      const unanswered = `The modem at ${this.#path} did not answer ${command} within ${timeoutMs} ms.`
      const timer = setTimeout(() => giveUp(new AgentError('device_unreachable', unanswered)), timeoutMs)
      signal.addEventListener('abort', onAbort, { once: true })
      this.#exchange = {
        command,
        lines: [],
        settle: (outcome) => {
          if (outcome instanceof AgentError) return giveUp(outcome)
          end()
          resolve(outcome)
        },
      }
      port.send(command)
    })
  }

  #receive(line: string): void {
    const exchange = this.#exchange
    // Said unasked: nothing here needs it, states are asked for.
    if (exchange === null) return
    if (isFinal(line)) exchange.settle(replyOf(exchange.command, exchange.lines, line))
    else if (exchange.lines.push(line) > MAX_LINES) {
      exchange.settle(new AgentError('device_unreachable', `${this.#path} does not speak as an AT port does.`))
    }
  }
}
