/** The demo's processes: started, watched, stopped. None is left behind, whatever ends the demo. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

export interface Child {
  readonly name: string
  readonly pid: number
  /** True from the moment somebody asked for its end. */
  readonly stopping: boolean
  stop(): Promise<void>
  kill(): void
}

interface ChildOptions {
  env?: NodeJS.ProcessEnv
  /** Keeps a terminal's Ctrl-C from it: whoever started it stops it, when its time has come. @default false */
  isShielded?: boolean
  /** Called when the process ends without having been asked to. */
  onUnexpectedExit(explanation: string): void
}

const stopPatienceMs = 5000
const keptOutput = 4000

/** Runs one of our built commands under this Node. */
export function startNode(name: string, args: string[], { env, isShielded = false, onUnexpectedExit }: ChildOptions): Child {
  const process_ = spawn(process.execPath, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: isShielded, // a terminal signals its whole foreground process group
  })
  let stopping = false
  let output = ''
  const keep = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-keptOutput)
  }
  process_.stdout.on('data', keep)
  process_.stderr.on('data', keep)
  process_.once('error', (error) => onUnexpectedExit(`${name} could not be started: ${error.message}`))
  process_.once('exit', (code, signal) => {
    if (!stopping) onUnexpectedExit(`${name} ended by itself (${signal ?? `exit code ${code}`}):\n${output.trimEnd()}`)
  })
  const stopAtExit = () => process_.kill('SIGKILL')
  process.once('exit', stopAtExit)
  process_.once('exit', () => process.off('exit', stopAtExit))

  return {
    name,
    get pid() {
      return process_.pid ?? 0
    },
    get stopping() {
      return stopping
    },
    async stop() {
      stopping = true
      await stopGently(process_)
    },
    kill() {
      stopping = true
      process_.kill('SIGKILL')
    },
  }
}

async function stopGently(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGTERM')
  const impatience = setTimeout(() => child.kill('SIGKILL'), stopPatienceMs)
  await gone
  clearTimeout(impatience)
}
