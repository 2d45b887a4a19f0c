import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../dist/main.js', import.meta.url))
/** No agent of a test finds the file of whoever runs the tests. */
const emptyHome = join(tmpdir(), `mp-no-home-${process.pid}`)
const DEADLINE_MS = 30_000

/** A line of the agent's log. */
export type LogLine = { msg: string; level: number } & Record<string, unknown>

/** The built agent as a process of its own, as users run it. */
export class AgentProcess {
  readonly lines: LogLine[] = []
  output = ''
  errors = ''
  readonly exited: Promise<number | string>
  readonly #child: ChildProcess
  #waiting: (() => void)[] = []

  /** `space`: the network namespace that it runs in. */
  constructor(args: string[], env: Record<string, string> = {}, space?: string) {
    if (!existsSync(main)) throw new Error(`${main} is not there: run "npm run build" first`)
    // `ip netns exec` becomes the agent: its pid is the agent's.
    const [program = '', ...rest] = [...(space === undefined ? [] : ['ip', 'netns', 'exec', space]), process.execPath, main, ...args]
    this.#child = spawn(program, rest, { env: { PATH: process.env.PATH, HOME: emptyHome, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    let unread = ''
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.output += text
      const texts = (unread + text).split('\n')
      unread = texts.pop() ?? ''
      for (const line of texts) if (line.startsWith('{')) this.lines.push(JSON.parse(line))
      this.#wake()
    })
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.errors += text
    })
    this.exited = new Promise((resolve) => this.#child.on('close', (code, signal) => resolve(code ?? signal ?? '')))
    void this.exited.then(() => this.#wake())
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Waits for a log line; throws when the process ends without it. */
  async logged(msg: string): Promise<LogLine> {
    const deadline = Date.now() + DEADLINE_MS
    for (;;) {
      const line = this.lines.find((candidate) => candidate.msg.includes(msg))
      if (line) return line
      if (!this.isRunning || Date.now() > deadline) throw new Error(`"${msg}" was not logged:\n${this.output}${this.errors}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1_000)
        this.#waiting.push(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
  }

  /** Ends the process and waits for its end; returns its exit code, or the signal that ended it. */
  kill(signal: 'SIGTERM' | 'SIGINT' | 'SIGKILL'): Promise<number | string> {
    this.#child.kill(signal)
    return this.exited
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const tell of waiting) tell()
  }
}

/** Polls a condition; throws when it does not hold in time. */
export async function eventually<T>(look: () => T | Promise<T>, what: string): Promise<NonNullable<Exclude<T, false>>> {
  const deadline = Date.now() + DEADLINE_MS
  for (;;) {
    const found = await look()
    if (found) return found as NonNullable<Exclude<T, false>>
    if (Date.now() > deadline) throw new Error(`did not happen in time: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
